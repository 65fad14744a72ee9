import type { ConfigMap, Pod, Secret, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { Clock } from '../base/clock.ts';
import type { Cidr } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import { EventRecorder } from '../controlplane/client/event-recorder.ts';
import type { Dialer } from '../proxy/dialer.ts';
import type { SocketAddress } from '../proxy/flow.ts';
import { hostLocalAddresses } from './host-local-addresses.ts';
import { Kubelet } from './kubelet/kubelet.ts';
import type { NodeIdentity } from './kubelet/node-heartbeat.ts';
import { NodeProxy, type NodeProxyOptions } from './node-proxy.ts';
import type { ObjectFeed } from './object-feed.ts';
import type { PodPorts } from './pod-ports.ts';
import { BuiltinRuntime } from './runtime/builtin-runtime.ts';
import { ProcessRuntime } from './runtime/process-runtime.ts';

export interface NodeFeeds {
  readonly pods: ObjectFeed<Pod>;
  readonly configMaps: ObjectFeed<ConfigMap>;
  readonly secrets: ObjectFeed<Secret>;
  readonly services: ObjectFeed<Service>;
  readonly endpointSlices: ObjectFeed<EndpointSlice>;
}

export interface NodeAgentOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly client: Client;
  readonly feeds: NodeFeeds;
  readonly identity: NodeIdentity;
  readonly podCIDR: Cidr;
  readonly podPorts: PodPorts;
  readonly podsFolder: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly proxy: Pick<NodeProxyOptions, 'mode' | 'clusterCIDR' | 'serviceCIDR' | 'ingress'> & {
    /** Other addresses that mean this node: 127.0.0.1 for the first. */
    readonly aliases: readonly string[];
  };
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';

/**
 * One node: its kubelet and its kube-proxy. `close` ends pods gracefully; dispose is a power cut, after which
 * the control plane finds out by itself.
 */
export class NodeAgent implements Resource {
  readonly kubelet: Kubelet;
  readonly proxy: NodeProxy;
  readonly #lifetime: Lifetime;

  private constructor(kubelet: Kubelet, proxy: NodeProxy, lifetime: Lifetime) {
    this.kubelet = kubelet;
    this.proxy = proxy;
    this.#lifetime = lifetime;
  }

  /** Resolves once the node is registered and Ready. */
  static async start(options: NodeAgentOptions): Promise<NodeAgent> {
    const { clock, random, log, client, feeds, identity, podPorts } = options;
    const lifetime = new Lifetime(`node ${identity.name}`);
    const events = new EventRecorder({ component: 'kubelet', client, clock, logger: log });
    lifetime.defer(() => events.flushed());
    const kubelet = new Kubelet({
      clock,
      log,
      client,
      node: identity,
      ...feeds,
      addresses: hostLocalAddresses(options.podCIDR),
      runtimes: {
        builtin: new BuiltinRuntime(clock, {
          clock,
          random: random.fork('images'),
          bindPort: (address, port) => podPorts.bindPort(address, port),
        }),
        process: new ProcessRuntime(clock),
      },
      podsFolder: options.podsFolder,
      baseEnv: options.baseEnv,
      dialPort: (address, port) => podPorts.dialPort(address, port),
      record: (pod, type, reason, message) => events.record(pod, type, reason, message),
    });
    lifetime.own(kubelet);
    const proxy = lifetime.own(startProxy(options));
    try {
      await kubelet.start();
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
    return new NodeAgent(kubelet, proxy, lifetime);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

function startProxy(options: NodeAgentOptions): NodeProxy {
  const { clock, random, identity, podCIDR, podPorts, proxy, feeds } = options;
  return new NodeProxy({
    clock,
    random: random.fork('kube-proxy'),
    nodeName: identity.name,
    zone: identity.labels[ZONE_LABEL] ?? '',
    addresses: [identity.address, ...proxy.aliases],
    mode: proxy.mode,
    podCIDR,
    clusterCIDR: proxy.clusterCIDR,
    serviceCIDR: proxy.serviceCIDR,
    ingress: proxy.ingress,
    dialer: podDialer(podPorts),
    services: feeds.services,
    endpointSlices: feeds.endpointSlices,
  });
}

/** Through the machine's own sockets, at the ports where pods really listen. */
function podDialer(podPorts: PodPorts): Dialer {
  const way = (endpoint: SocketAddress, source: string) => ({
    kind: 'dial' as const,
    address: endpoint.address,
    port: podPorts.dialPort(endpoint.address, endpoint.port),
    localAddress: source,
  });
  return { stream: way, datagrams: way };
}
