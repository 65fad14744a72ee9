import type { ConfigMap, Node, Pod, Secret, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import type { Cidr } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import { EventRecorder } from '../controlplane/client/event-recorder.ts';
import type { Dialer } from '../proxy/dialer.ts';
import type { SocketAddress } from '../proxy/flow.ts';
import type { DnsSource } from '../dns/source/dns-source.ts';
import { assignedPodCidr } from './assigned-pod-cidr.ts';
import { corednsPods } from './coredns-pod.ts';
import { hostLocalAddresses } from './host-local-addresses.ts';
import { Kubelet } from './kubelet/kubelet.ts';
import { NodeHeartbeat, type NodeIdentity } from './kubelet/node-heartbeat.ts';
import { NodeOverlay, type OverlaySettings } from './node-overlay.ts';
import type { PodDns } from './kubelet/pod-worker.ts';
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
  readonly nodes: ObjectFeed<Node>;
}

export interface NodeAgentOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly client: Client;
  readonly feeds: NodeFeeds;
  readonly identity: NodeIdentity;
  readonly podPorts: PodPorts;
  readonly podsFolder: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Absent: pods of other nodes are dialled directly. */
  readonly overlay?: OverlaySettings;
  readonly dns: PodDns & { readonly source: DnsSource };
  readonly proxy: Pick<NodeProxyOptions, 'mode' | 'clusterCIDR' | 'serviceCIDR' | 'ingress'> & {
    /** Other addresses that mean this node: 127.0.0.1 for the first. */
    readonly aliases: readonly string[];
  };
}

const BIND_ERRORS: ReadonlySet<string> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES']);
const ZONE_LABEL = 'topology.kubernetes.io/zone';

/**
 * One node: its kubelet, its flannel and its kube-proxy. `close` ends pods gracefully; dispose is a power cut, after which
 * the control plane finds out by itself.
 */
export class NodeAgent implements Resource {
  readonly kubelet: Kubelet;
  readonly proxy: NodeProxy;
  /** Undefined where none was asked for, or where its address or port could not be had. */
  readonly overlay: NodeOverlay | undefined;
  readonly #lifetime: Lifetime;

  private constructor(
    kubelet: Kubelet,
    proxy: NodeProxy,
    overlay: NodeOverlay | undefined,
    lifetime: Lifetime,
  ) {
    this.kubelet = kubelet;
    this.proxy = proxy;
    this.overlay = overlay;
    this.#lifetime = lifetime;
  }

  /** Resolves once the node is registered and Ready. Rejects with code NO_POD_CIDR where it gets no podCIDR. */
  static async start(options: NodeAgentOptions): Promise<NodeAgent> {
    const { clock, log, client, feeds, identity } = options;
    const lifetime = new Lifetime(`node ${identity.name}`);
    try {
      const heartbeat = new NodeHeartbeat({ client, clock, node: identity, log });
      lifetime.defer(() => heartbeat.stop());
      await heartbeat.start();
      const podCIDR = await assignedPodCidr(feeds.nodes, identity.name, clock);
      const kubelet = lifetime.own(createKubelet(options, podCIDR, lifetime));
      kubelet.start();
      const overlay = await startOverlay(options, podCIDR);
      if (overlay !== undefined) lifetime.own(overlay);
      const dialer = overlay?.dialer ?? podDialer(options.podPorts);
      const proxy = lifetime.own(startProxy(options, podCIDR, dialer));
      await serveProxy(proxy, identity.address, log);
      return new NodeAgent(kubelet, proxy, overlay, lifetime);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

function createKubelet(options: NodeAgentOptions, podCIDR: Cidr, lifetime: Lifetime): Kubelet {
  const { clock, random, log, client, feeds, identity, podPorts } = options;
  const bindPort = (address: string, port: number): number => podPorts.bindPort(address, port);
  const events = new EventRecorder({
    component: 'kubelet',
    host: identity.name,
    client,
    clock,
    logger: log,
  });
  lifetime.defer(() => events.flushed());
  return new Kubelet({
    clock,
    log,
    client,
    node: identity,
    ...feeds,
    addresses: hostLocalAddresses(podCIDR, addressesBefore(feeds.pods, identity.name)),
    runtimes: {
      builtin: new BuiltinRuntime(clock, {
        clock,
        random: random.fork('images'),
        bindPort,
        startDns: corednsPods({ clock, random, source: options.dns.source, bindPort }),
      }),
      process: new ProcessRuntime(clock),
    },
    podsFolder: options.podsFolder,
    baseEnv: options.baseEnv,
    dns: options.dns,
    dialPort: (address, port) => podPorts.dialPort(address, port),
    record: (object, type, reason, message, fieldPath) =>
      events.record(object, type, reason, message, fieldPath),
  });
}

/** What pods of this node had before it came up: nobody else may have it while the API still says so. */
function addressesBefore(pods: ObjectFeed<Pod>, nodeName: string): Map<string, string> {
  const mine = pods
    .list()
    .filter(
      (pod) => pod.spec.nodeName === nodeName && pod.spec.hostNetwork !== true && !hasEnded(pod),
    );
  return new Map(mine.map(({ metadata, status }) => [metadata.uid ?? '', status?.podIP ?? '']));
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Without its address and port the node goes on, and dials other nodes' pods directly. */
async function startOverlay(
  options: NodeAgentOptions,
  podCIDR: Cidr,
): Promise<NodeOverlay | undefined> {
  const { overlay, identity, feeds, log } = options;
  if (overlay === undefined) return undefined;
  try {
    return await NodeOverlay.start({
      ...options,
      ...overlay,
      podCIDR,
      nodes: feeds.nodes,
      pods: feeds.pods,
      name: identity.name,
      address: identity.address,
    });
  } catch (error) {
    if (!BIND_ERRORS.has(errorCode(error) ?? '')) throw error;
    log.warn({ reason: errorMessage(error) }, 'no overlay: its address and port cannot be had');
    return undefined;
  }
}

/** Health and metrics are for those who look; a port that is taken does not stop the node. */
async function serveProxy(proxy: NodeProxy, address: string, log: Logger): Promise<void> {
  try {
    await proxy.serve(address);
  } catch (error) {
    log.warn({ err: error, address }, 'kube-proxy health and metrics are not served');
  }
}

function startProxy(options: NodeAgentOptions, podCIDR: Cidr, dialer: Dialer): NodeProxy {
  const { clock, random, identity, proxy, feeds } = options;
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
    dialer,
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
