import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import { formatCidr } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { type Random, seededRandom } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import { Informers } from '../controlplane/client/informers.ts';
import { ControlPlane } from '../controlplane/control-plane.ts';
import { NodeCidrAllocator } from '../ipam/node-cidrs.ts';
import { clusterCorefile, startClusterDns } from '../node/cluster-dns.ts';
import { feedDnsSource } from '../node/feed-dns-source.ts';
import { hostResolvConf } from '../node/host-resolv-conf.ts';
import { NodeAgent } from '../node/node-agent.ts';
import type { OverlaySettings } from '../node/node-overlay.ts';
import { NodeGroup } from './node-group.ts';
import { PodPorts } from '../node/pod-ports.ts';
import { SharedIngress } from '../node/shared-ingress.ts';
import { openStore, type StoreConfig } from '../controlplane/store/open-store.ts';
import { type ApiAccess, openApi } from './api-access.ts';
import { type ApplyResult, applyManifests } from './apply-manifests.ts';
import { type ClusterConfig, nodeAddress } from './cluster-config.ts';
import { controlPlaneConfig } from './control-plane-config.ts';
import { forwardHttp } from './forward-http.ts';
import { askNodes } from './node-requests.ts';
import { podLogs } from './pod-logs.ts';
import { type ClusterSummary, summarize } from './cluster-summary.ts';
import { firstUnprivilegedPort } from './privileged-ports.ts';
import { awaitSettled } from './settled.ts';
import { installClusterDns } from './system-objects.ts';

export interface ClusterOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** What process pods inherit besides their own variables: PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where objects are kept; in memory where absent. */
  readonly store?: StoreConfig;
  /** Absent: no API for clients outside the process. */
  readonly api?: ApiAccess;
  /** Told what has been done, in plain words. */
  readonly onProgress?: (step: string) => void;
  /** Told what does not work though the rest goes on, with the remedy. */
  readonly onProblem?: (problem: string) => void;
}

/** What nodes, DNS and summaries look at. */
const FOLLOWED = [
  'nodes',
  'pods',
  'services',
  'endpointslices',
  'namespaces',
  'configmaps',
  'secrets',
] as const;

/** The version of Kubernetes whose behaviour nodes report. */
/** Linux's `lo`: the largest that a packet between nodes can be. */
const LOOPBACK_MTU = 65_536;
const KUBERNETES_VERSION = '1.35.0-podwire';

/**
 * The emulator: a control plane and its nodes in one process. `close` lets pods and connections finish;
 * dispose ends everything now. Either way no socket, child or file stays behind.
 */
export class Cluster implements Resource {
  readonly config: ClusterConfig;
  readonly #options: ClusterOptions;
  readonly #random: Random;
  readonly #lifetime = new Lifetime('cluster');
  readonly #controlPlane: ControlPlane;
  readonly #informers: Informers;
  readonly #podPorts = new PodPorts(firstUnprivilegedPort());
  readonly #agents = new Map<string, NodeAgent>();
  #ingress: { settled(): Promise<void> } | undefined;

  private constructor(
    config: ClusterConfig,
    options: ClusterOptions,
    random: Random,
    controlPlane: ControlPlane,
  ) {
    this.config = config;
    this.#options = options;
    this.#random = random;
    this.#controlPlane = this.#lifetime.own(controlPlane);
    this.#informers = this.#lifetime.own(
      new Informers(controlPlane.client, options.clock, options.log),
    );
    for (const resource of FOLLOWED) this.#informers.of(resource);
  }

  /** Resolves once every node is Ready and DNS answers. */
  static async start(config: ClusterConfig, options: ClusterOptions): Promise<Cluster> {
    const random = seededRandom(config.seed);
    const { clock, log } = options;
    const controlPlane = await ControlPlane.start({
      clock,
      random: random.fork('control-plane'),
      logger: log,
      metrics: createMetrics(),
      config: controlPlaneConfig(config, options.api?.listen.port),
      store: await openStore(options.store ?? { kind: 'memory' }, { clock, logger: log }),
    });
    const cluster = new Cluster(config, options, random, controlPlane);
    try {
      await cluster.#startNodes();
      await cluster.#startHostDns();
      await installClusterDns(cluster.client, {
        corefile: clusterCorefile(config.dnsDomain),
        clusterIP: config.clusterDNS,
      });
      if (options.api !== undefined) await cluster.#openApi(options.api);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get client(): Client {
    return this.#controlPlane.client;
  }

  /** Applies a manifest's objects in order; what is refused does not keep the others out. */
  apply(text: string, file: string): Promise<ApplyResult[]> {
    return applyManifests(this.#controlPlane, text, file);
  }

  /** True once workloads have their pods and every pod is ready or has ended; false when `timeoutMs` or the signal comes first. */
  async settled(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const result = await awaitSettled(this.#informers, clock, timeoutMs, signal);
    // What the slices say is in effect once the proxies have had their turn.
    await new Promise<void>((resolve) => clock.defer(resolve));
    await this.#ingress?.settled();
    return result;
  }

  summary(): ClusterSummary {
    return summarize(
      this.#informers.of('nodes').list(),
      this.#informers.of('services').list(),
      this.#informers.of('pods').list(),
    );
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /** Without its address there is no kubectl, and everything else goes on. */
  async #openApi(access: ApiAccess): Promise<void> {
    const { clock, onProgress, onProblem } = this.#options;
    const pods = podLogs(
      {
        pod: (name, namespace) => this.#informers.of('pods').get(name, namespace),
        log: (pod, container) =>
          this.#agents
            .get(pod.spec.nodeName ?? '')
            ?.kubelet.containerLog(pod.metadata.uid ?? '', container),
      },
      clock,
    );
    const forward = forwardHttp((host, port) => this.#podPorts.dialPort(host, port));
    const askNode = askNodes((name) => this.#agents.get(name));
    try {
      const { url } = await openApi(this.#controlPlane, access, { pods, forward, askNode });
      onProgress?.(`Kubernetes API at ${url} (KUBECONFIG=${access.kubeconfigPath})`);
    } catch (error) {
      if (errorCode(error) !== 'listen-failed') throw error;
      onProblem?.(errorMessage(error));
    }
  }

  /** DNS for programs outside the cluster; where it cannot be bound the cluster does without. */
  async #startHostDns(): Promise<void> {
    const { clock, log, onProgress, onProblem } = this.#options;
    const { dnsDomain: domain, dnsHostAddress } = this.config;
    const { address, port } = dnsHostAddress;
    try {
      const server = await startClusterDns({
        clock,
        random: this.#random.fork('host-dns'),
        log: log.child({ component: 'dns' }),
        metrics: createMetrics(),
        source: this.#dnsSource(),
        domain,
        address,
        port,
      });
      this.#lifetime.own(server);
      onProgress?.(`DNS for ${domain} at ${address}:${port}`);
    } catch (error) {
      if (errorCode(error) !== 'DNS_BIND') throw error;
      onProblem?.(`DNS at ${address}:${port}: ${errorMessage(error)}`);
    }
  }

  #dnsSource(): ReturnType<typeof feedDnsSource> {
    return feedDnsSource({
      services: this.#informers.of('services'),
      endpointslices: this.#informers.of('endpointslices'),
      namespaces: this.#informers.of('namespaces'),
      pods: this.#informers.of('pods'),
    });
  }

  async #startNodes(): Promise<void> {
    const { config } = this;
    const { clock, log, env, onProblem } = this.#options;
    const cidrs = new NodeCidrAllocator([
      { cidr: config.podSubnet, nodePrefixLength: config.nodeCIDRMaskSize },
    ]);
    const podsFolder = await mkdtemp(join(tmpdir(), 'podwire-'));
    this.#lifetime.defer(() => rm(podsFolder, { recursive: true, force: true }));
    const podPorts = this.#podPorts;
    const feeds = {
      pods: this.#informers.of('pods'),
      configMaps: this.#informers.of('configmaps'),
      secrets: this.#informers.of('secrets'),
      services: this.#informers.of('services'),
      endpointSlices: this.#informers.of('endpointslices'),
      nodes: this.#informers.of('nodes'),
    };
    const { ingress } = this.#lifetime.own(
      new SharedIngress({
        clock,
        log,
        engine: this.config.engine,
        onProblem: (message) => onProblem?.(message),
      }),
    );
    this.#ingress = ingress;
    const dnsSource = this.#dnsSource();
    const hostDns = await hostResolvConf();
    const nodes = this.#lifetime.own(new NodeGroup());
    await this.#informers.synced();
    for (let index = 0; index < config.nodes; index += 1) {
      const name = `node-${index + 1}`;
      const outcome = cidrs.allocate(name);
      const podCIDR = outcome.kind === 'allocated' ? outcome.cidrs[0] : undefined;
      if (podCIDR === undefined) throw new Error(`no pod CIDR is left for ${name}`);
      const agent = await NodeAgent.start({
        clock,
        random: this.#random.fork(name),
        log: log.child({ node: name }),
        client: this.client,
        feeds,
        identity: {
          name,
          address: nodeAddress(config, index),
          podCIDR: formatCidr(podCIDR),
          labels: nodeLabels(name),
          version: KUBERNETES_VERSION,
        },
        podCIDR,
        podPorts,
        podsFolder,
        baseEnv: { PATH: env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin' },
        overlay: overlaySettings(config),
        dns: {
          source: dnsSource,
          clusterDns: [config.clusterDNS],
          clusterDomain: config.dnsDomain,
          host: hostDns,
        },
        proxy: {
          mode: config.proxyMode,
          clusterCIDR: config.podSubnet,
          serviceCIDR: config.serviceSubnet,
          ingress,
          aliases: index === 0 ? ['127.0.0.1'] : [],
        },
      });
      nodes.own(agent);
      this.#agents.set(name, agent);
      this.#options.onProgress?.(`${name} is Ready`);
    }
  }
}

/** What the kubelet puts on its node by itself. */
function nodeLabels(name: string): Record<string, string> {
  return {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': process.arch === 'x64' ? 'amd64' : process.arch,
  };
}

/** flannel's vxlan with its defaults, on loopback. */
function overlaySettings(config: ClusterConfig): OverlaySettings {
  const netConf = JSON.stringify({
    Network: formatCidr(config.podSubnet),
    Backend: { Type: 'vxlan' },
  });
  return { netConf, nodeNetwork: config.nodeSubnet, underlayMtu: LOOPBACK_MTU };
}
