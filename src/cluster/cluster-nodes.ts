import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { PodwireError } from '../base/errors.ts';
import { cidrContains, formatCidr, formatIp, parseIp } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import { EventRecorder } from '../controlplane/client/event-recorder.ts';
import type { Informers } from '../controlplane/client/informers.ts';
import { hostResolvConf } from '../node/host-resolv-conf.ts';
import { recordAnnotationProblems } from '../node/annotation-events.ts';
import { listenEvents } from '../node/listen-events.ts';
import { NodeAgent, type NodeAgentOptions } from '../node/node-agent.ts';
import type { PodPorts } from '../node/pod-ports.ts';
import { SharedIngress } from '../node/shared-ingress.ts';
import type { ClusterConfig } from './cluster-config.ts';
import { nodeAddress } from './networking-settings.ts';
import { makeScratchFolder } from './scratch-folder.ts';

export interface ClusterNodesOptions {
  readonly config: ClusterConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What process pods inherit: PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly client: Client;
  readonly informers: Informers;
  readonly podPorts: PodPorts;
  readonly dnsSource: NodeAgentOptions['dns']['source'];
  /** What nodes keep on disk goes under it; absent: it lasts as long as the cluster. */
  readonly dataDirectory: string | undefined;
  readonly dnsServers: NodeAgentOptions['dns']['servers'];
  readonly onProgress: ((step: string) => void) | undefined;
  readonly onProblem: ((problem: string) => void) | undefined;
}

/** One machine of the cluster: there whether or not it is switched on. */
interface Machine {
  readonly name: string;
  readonly isFirst: boolean;
  address: string;
  starts: number;
  agent: NodeAgent | undefined;
  /** Starting and stopping, one after the other. */
  changing: Promise<void>;
}

/** What all nodes are given. */
type Shared = Pick<NodeAgentOptions, 'podsFolder' | 'dns'>;

/** The version of Kubernetes whose behaviour nodes report. */
const KUBERNETES_VERSION = '1.35.0-podwire';
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/**
 * The cluster's machines, `node-1` and so on, and what they share in this process: the listeners of the
 * proxies and the folder of the pods. They end together, none waiting for another.
 */
export class ClusterNodes implements Resource {
  readonly #options: ClusterNodesOptions;
  readonly #lifetime = new Lifetime('nodes');
  readonly #ingress: SharedIngress;
  readonly #machines: ReadonlyMap<string, Machine>;
  readonly #shared: Shared;

  private constructor(options: ClusterNodesOptions, shared: Shared) {
    const { config, clock, log, client, informers, onProblem } = options;
    this.#options = options;
    this.#shared = shared;
    this.#lifetime.defer(() => rm(shared.podsFolder, { recursive: true, force: true }));
    const events = new EventRecorder({ component: 'kube-proxy', client, clock, logger: log });
    this.#lifetime.defer(() => events.flushed());
    this.#lifetime.defer(
      recordAnnotationProblems(informers.of('services'), (service, type, reason, message) =>
        events.record(service, type, reason, message),
      ),
    );
    this.#ingress = this.#lifetime.own(
      new SharedIngress({
        clock,
        log,
        engine: config.engine,
        engineThreads: config.engineThreads,
        events: listenEvents({
          service: (name, namespace) => informers.of('services').get(name, namespace),
          record: (service, type, reason, message) => events.record(service, type, reason, message),
          onProblem: (message) => onProblem?.(message),
          log,
        }),
        onEngineProblem: (problem) => {
          onProblem?.(problem);
          for (const node of informers.of('nodes').list())
            events.record(node, 'Warning', 'ForwardingEngineReplaced', problem);
        },
      }),
    );
    this.#machines = new Map(machinesOf(config).map((machine) => [machine.name, machine]));
  }

  /** Resolves once every node is Ready. */
  static async start(options: ClusterNodesOptions): Promise<ClusterNodes> {
    const { config, dnsSource, dnsServers } = options;
    const dns = {
      source: dnsSource,
      servers: dnsServers,
      clusterDns: [config.clusterDNS],
      clusterDomain: config.dnsDomain,
      host: await hostResolvConf(),
    };
    const podsFolder = await makeScratchFolder(tmpdir());
    const nodes = new ClusterNodes(options, { podsFolder, dns });
    try {
      await options.informers.synced();
      for (const name of nodes.#machines.keys()) await nodes.startNode(name);
      return nodes;
    } catch (error) {
      await nodes[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Undefined for a node that is not there, or stopped. */
  agent(name: string): NodeAgent | undefined {
    return this.#machines.get(name)?.agent;
  }

  /**
   * Switches a stopped node on; it comes up as a machine does after a reboot, at another address of the node
   * subnet where one is given. Resolves once it is Ready. Throws PodwireErrors: `node-unknown`, `node-running`,
   * `node-address`.
   */
  startNode(name: string, options: { readonly address?: string } = {}): Promise<void> {
    return this.#change(name, async (machine) => {
      if (machine.agent !== undefined)
        throw new PodwireError('node-running', `${name} is running; stop it first`);
      if (options.address !== undefined)
        machine.address = this.#checkAddress(machine, options.address);
      machine.starts += 1;
      machine.agent = await NodeAgent.start(this.#agentOptions(machine));
      this.#options.onProgress?.(`${name} is Ready`);
    });
  }

  /**
   * Switches a node off, as a power cut would: its pods, its proxy and its VTEP are gone at once and nobody is told.
   * Throws PodwireErrors: `node-unknown`, `node-stopped`.
   */
  stopNode(name: string): Promise<void> {
    return this.#change(name, async (machine) => {
      const { agent } = machine;
      if (agent === undefined)
        throw new PodwireError('node-stopped', `${name} is stopped already; start it first`);
      machine.agent = undefined;
      await agent[Symbol.asyncDispose]();
      this.#options.onProgress?.(`${name} is stopped`);
    });
  }

  /** Resolves once the proxies listen wherever they should, or have told why not. */
  settled(): Promise<void> {
    return this.#ingress.ingress.settled();
  }

  async close(): Promise<void> {
    await this.#endAgents((agent) => agent.close());
    await this.#lifetime.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endAgents((agent) => agent[Symbol.asyncDispose]());
    await this.#lifetime[Symbol.asyncDispose]();
  }

  async #endAgents(end: (agent: NodeAgent) => Promise<void>): Promise<void> {
    await Promise.all(
      [...this.#machines.values()].map(async (machine) => {
        await machine.changing.catch(() => {});
        if (machine.agent !== undefined) await end(machine.agent);
      }),
    );
  }

  #change(name: string, work: (machine: Machine) => Promise<void>): Promise<void> {
    const machine = this.#machines.get(name);
    if (machine === undefined) {
      const known = [...this.#machines.keys()].join(', ');
      const error = new PodwireError(
        'node-unknown',
        `there is no node "${name}": known are ${known}`,
      );
      return Promise.reject(error);
    }
    const done = machine.changing
      .catch(() => {})
      .then(() => {
        if (this.#lifetime.ended) throw new PodwireError('node-stopped', 'the cluster has ended');
        return work(machine);
      });
    machine.changing = done;
    return done;
  }

  #checkAddress(machine: Machine, text: string): string {
    const { nodeSubnet, loadBalancerPool } = this.#options.config;
    const refuse = (why: string): never => {
      throw new PodwireError('node-address', `address: Invalid value: "${text}": ${why}`);
    };
    const ip = parseIp(text) ?? refuse('must be an IP address');
    if (!cidrContains(nodeSubnet, ip)) refuse(`is not in nodeSubnet ${formatCidr(nodeSubnet)}`);
    if (cidrContains(loadBalancerPool, ip))
      refuse(`is in loadBalancerPool ${formatCidr(loadBalancerPool)}`);
    const address = formatIp(ip);
    for (const other of this.#machines.values())
      if (other !== machine && other.address === address) refuse(`is ${other.name}'s`);
    return address;
  }

  #agentOptions(machine: Machine): NodeAgentOptions {
    const { config, clock, random, log, env, client, podPorts } = this.#options;
    const { name, address, starts } = machine;
    return {
      clock,
      // A node does not repeat after a restart what it did before.
      random: random.fork(starts === 1 ? name : `${name}/${starts}`),
      log: log.child({ node: name }),
      client,
      feeds: this.#feeds(),
      identity: {
        name,
        address,
        labels: nodeLabels(name),
        version: KUBERNETES_VERSION,
        leaseDurationSeconds: config.nodeLifecycle.leaseDurationSeconds,
      },
      podPorts,
      ...this.#shared,
      baseEnv: { PATH: env['PATH'] ?? DEFAULT_PATH },
      nodeFolder: join(this.#options.dataDirectory ?? this.#shared.podsFolder, 'nodes', name),
      overlay: config.overlay,
      proxy: {
        mode: config.kubeProxy.nodeModes.get(name) ?? config.proxyMode,
        ipvsScheduler: config.kubeProxy.ipvsScheduler,
        rules: config.kubeProxy.rules,
        clusterCIDR: config.podSubnet,
        serviceCIDR: config.serviceSubnet,
        ingress: this.#ingress.ingress,
        aliases: machine.isFirst ? ['127.0.0.1'] : [],
      },
    };
  }

  #feeds(): NodeAgentOptions['feeds'] {
    const { informers } = this.#options;
    return {
      pods: informers.of('pods'),
      configMaps: informers.of('configmaps'),
      secrets: informers.of('secrets'),
      services: informers.of('services'),
      endpointSlices: informers.of('endpointslices'),
      nodes: informers.of('nodes'),
    };
  }
}

function machinesOf(config: ClusterConfig): Machine[] {
  return Array.from({ length: config.nodes }, (_, index) => ({
    name: `node-${index + 1}`,
    isFirst: index === 0,
    address: nodeAddress(config, index),
    starts: 0,
    agent: undefined,
    changing: Promise.resolve(),
  }));
}

/** What the kubelet puts on its node by itself; old manifests still select by the beta labels. */
function nodeLabels(name: string): Record<string, string> {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  return {
    'beta.kubernetes.io/arch': arch,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': arch,
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
  };
}
