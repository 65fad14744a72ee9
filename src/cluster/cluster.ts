import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { type Random, seededRandom } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import { Informers } from '../controlplane/client/informers.ts';
import { ControlPlane } from '../controlplane/control-plane.ts';
import { openStore, type StoreConfig } from '../controlplane/store/open-store.ts';
import { clusterCorefile } from '../node/cluster-dns.ts';
import { DnsServers } from '../node/dns-servers.ts';
import { feedDnsSource } from '../node/feed-dns-source.ts';
import { PodPorts } from '../node/pod-ports.ts';
import { type ApiAccess, openApi } from './api-access.ts';
import { type ApplyResult, applyManifests } from './apply-manifests.ts';
import type { ClusterConfig } from './cluster-config.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import { type ClusterSummary, summarize } from './cluster-summary.ts';
import { controlPlaneConfig } from './control-plane-config.ts';
import { forwardHttp } from './forward-http.ts';
import { startHostDns } from './host-dns.ts';
import { askNodes } from './node-requests.ts';
import { podLogs } from './pod-logs.ts';
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
  /** Where nodes keep what outlives the process; absent: nothing does. */
  readonly dataDirectory?: string;
  /** Absent: no API for clients outside the process. */
  readonly api?: ApiAccess;
  /** Told what has been done, in plain words. */
  readonly onProgress?: (step: string) => void;
  /** Told what does not work though the rest goes on, with the remedy. */
  readonly onProblem?: (problem: string) => void;
}

/** A cluster without kubectl is a cluster still. */
const NO_API: ReadonlySet<string> = new Set(['listen-failed', 'kubeconfig-failed']);

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
  readonly #dnsServers = new DnsServers();
  readonly #podPorts = new PodPorts(firstUnprivilegedPort());
  #nodes: ClusterNodes | undefined;

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
        corefile: clusterCorefile(config.dnsDomain, config.dnsUpstream),
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
    await this.#nodes?.settled();
    return result;
  }

  /** The nodes, to stop and start them. */
  get nodes(): ClusterNodes {
    if (this.#nodes === undefined) throw new Error('the nodes are not started yet');
    return this.#nodes;
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

  /** Without its address or its kubeconfig there is no kubectl, and everything else goes on. */
  async #openApi(access: ApiAccess): Promise<void> {
    const { clock, onProgress, onProblem } = this.#options;
    const pods = podLogs(
      {
        pod: (name, namespace) => this.#informers.of('pods').get(name, namespace),
        log: (pod, container, previous) =>
          this.#nodes
            ?.agent(pod.spec.nodeName ?? '')
            ?.kubelet.containerLog(pod.metadata.uid ?? '', container, previous),
      },
      clock,
    );
    const forward = forwardHttp((host, port) => this.#podPorts.dialPort(host, port));
    const askNode = askNodes(this.nodes);
    try {
      const { url } = await openApi(this.#controlPlane, access, { pods, forward, askNode });
      onProgress?.(`Kubernetes API at ${url} (KUBECONFIG=${access.kubeconfigPath})`);
    } catch (error) {
      if (!NO_API.has(errorCode(error) ?? '')) throw error;
      onProblem?.(errorMessage(error));
    }
  }

  async #startHostDns(): Promise<void> {
    const { clock, log, onProgress, onProblem } = this.#options;
    const server = await startHostDns({
      clock,
      random: this.#random.fork('host-dns'),
      log,
      config: this.config,
      source: this.#dnsSource(),
      pods: this.#informers.of('pods'),
      servers: this.#dnsServers,
      onProgress,
      onProblem,
    });
    if (server !== undefined) this.#lifetime.own(server);
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
    const { clock, log, env, onProgress, onProblem } = this.#options;
    this.#nodes = this.#lifetime.own(
      await ClusterNodes.start({
        config: this.config,
        clock,
        random: this.#random,
        log,
        env,
        client: this.client,
        informers: this.#informers,
        podPorts: this.#podPorts,
        dnsSource: this.#dnsSource(),
        dataDirectory: this.#options.dataDirectory,
        dnsServers: this.#dnsServers,
        onProgress,
        onProblem,
      }),
    );
  }
}
