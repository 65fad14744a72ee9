import { join } from 'node:path';
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
import { type HostLocalAddresses, hostLocalAddresses } from './host-local-addresses.ts';
import { KernelNodes } from './kernel-node.ts';
import { IpamFileStore } from './ipam-file-store.ts';
import { HostPorts } from './host-ports.ts';
import { StaticPods } from './kubelet/static-pods.ts';
import { Kubelet } from './kubelet/kubelet.ts';
import { NodeHeartbeat, type NodeIdentity } from './kubelet/node-heartbeat.ts';
import { openNodeLeases } from './open-node-leases.ts';
import { NodeOverlay } from './node-overlay.ts';
import type { NodeLeases } from './node-leases.ts';
import { type OverlaySettings, readNetConf } from './overlay-settings.ts';
import type { DnsServers } from './dns-servers.ts';
import { NodeDns } from './node-dns.ts';
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
  /** The node's own file system, as far as it has one: what is there outlives the node. */
  readonly nodeFolder: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Absent: pods of other nodes are dialled directly. */
  readonly overlay?: OverlaySettings;
  readonly dns: PodDns & { readonly source: DnsSource; readonly servers: DnsServers };
  readonly proxy: Pick<
    NodeProxyOptions,
    'mode' | 'ipvsScheduler' | 'rules' | 'clusterCIDR' | 'serviceCIDR' | 'ingress'
  > & {
    /** Other addresses that mean this node: 127.0.0.1 for the first. */
    readonly aliases: readonly string[];
  };
}

const BIND_ERRORS: ReadonlySet<string> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES']);
/** Where flannel and CNI's host-local keep theirs, with the name of flannel's network. */
const SUBNET_ENV = 'run/flannel/subnet.env';
const IPAM_FOLDER = 'var/lib/cni/networks/cbr0';
/** kubeadm's --pod-manifest-path. */
const STATIC_PODS = 'etc/kubernetes/manifests';
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
  readonly addresses: HostLocalAddresses;
  /** Undefined where no Linux machine can join: without vxlan, or with leases in etcd. */
  readonly kernelNodes: KernelNodes | undefined;
  readonly dns: NodeDns;
  readonly #lifetime: Lifetime;

  private constructor(
    options: NodeAgentOptions,
    parts: Pick<NodeAgent, 'kubelet' | 'proxy' | 'overlay' | 'addresses' | 'dns'>,
    lifetime: Lifetime,
  ) {
    this.kernelNodes = kernelNodesOf(options);
    this.kubelet = parts.kubelet;
    this.proxy = parts.proxy;
    this.overlay = parts.overlay;
    this.addresses = parts.addresses;
    this.dns = parts.dns;
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
      const leases = await leasesOf(options);
      const podCIDR = leases?.subnet ?? (await assignedPodCidr(feeds.nodes, identity.name, clock));
      const addresses = hostLocalAddresses({
        podCIDR,
        store: new IpamFileStore(join(options.nodeFolder, IPAM_FOLDER)),
        before: addressesBefore(feeds.pods, identity.name),
        log,
      });
      const kubelet = lifetime.own(createKubelet(options, addresses, lifetime));
      kubelet.start();
      lifetime.own(
        new StaticPods({
          clock,
          log,
          client,
          pods: feeds.pods,
          nodeName: identity.name,
          folder: join(options.nodeFolder, STATIC_PODS),
        }),
      );
      const overlay = await startOverlay(options, leases);
      if (overlay !== undefined) lifetime.own(overlay);
      const dialer = overlay?.dialer ?? podDialer(options.podPorts);
      const proxy = lifetime.own(startProxy(options, podCIDR, dialer));
      await serveProxy(proxy, identity.address, log);
      const dns = new NodeDns({ ...options.dns, node: identity.name, pods: feeds.pods });
      return new NodeAgent(options, { kubelet, proxy, overlay, addresses, dns }, lifetime);
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

function createKubelet(
  options: NodeAgentOptions,
  addresses: HostLocalAddresses,
  lifetime: Lifetime,
): Kubelet {
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
  const hostPorts = lifetime.own(new HostPorts(clock, podPorts));
  return new Kubelet({
    clock,
    hostPorts,
    log,
    client,
    node: identity,
    ...feeds,
    addresses,
    runtimes: {
      builtin: new BuiltinRuntime(clock, {
        clock,
        random: random.fork('images'),
        bindPort,
        startDns: corednsPods({ ...options.dns, clock, random, bindPort, pods: feeds.pods }),
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

function kernelNodesOf(options: NodeAgentOptions): KernelNodes | undefined {
  const { overlay, feeds } = options;
  if (overlay === undefined || overlay.etcd !== undefined) return undefined;
  const conf = readNetConf(overlay.netConf);
  const { backend } = conf;
  if (backend.type !== 'vxlan') return undefined;
  return new KernelNodes({ ...options, nodes: feeds.nodes, conf: { ...conf, backend } });
}

/** Undefined without an overlay. */
async function leasesOf(options: NodeAgentOptions): Promise<NodeLeases | undefined> {
  const { overlay, identity, feeds } = options;
  if (overlay === undefined) return undefined;
  return openNodeLeases({
    ...options,
    ...identity,
    conf: readNetConf(overlay.netConf),
    etcd: overlay.etcd,
    nodes: feeds.nodes,
    subnetEnvPath: join(options.nodeFolder, SUBNET_ENV),
  });
}

/** Nearly always the reason why a node's own ports are taken. */
const ONE_CLUSTER =
  'of two clusters on one machine each needs node addresses of its own (networking.nodeSubnet, --node-cidr)';

/** Without its address and port the node goes on, and dials other nodes' pods directly. */
async function startOverlay(
  options: NodeAgentOptions,
  leases: NodeLeases | undefined,
): Promise<NodeOverlay | undefined> {
  const { overlay, identity, feeds, log } = options;
  if (overlay === undefined || leases === undefined) return undefined;
  try {
    return await NodeOverlay.start({
      ...options,
      ...overlay,
      conf: readNetConf(overlay.netConf),
      leases,
      pods: feeds.pods,
      subnetEnvPath: join(options.nodeFolder, SUBNET_ENV),
      name: identity.name,
      address: identity.address,
    });
  } catch (error) {
    if (!BIND_ERRORS.has(errorCode(error) ?? '')) throw error;
    log.warn(
      { reason: errorMessage(error) },
      `no overlay: its UDP port cannot be had; ${ONE_CLUSTER}`,
    );
    return undefined;
  }
}

/** Health and metrics are for those who look; a port that is taken does not stop the node. */
async function serveProxy(proxy: NodeProxy, address: string, log: Logger): Promise<void> {
  try {
    await proxy.serve(address);
  } catch (error) {
    log.warn(
      { reason: errorMessage(error) },
      `kube-proxy's health and metrics are not served; ${ONE_CLUSTER}`,
    );
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
    ...(proxy.ipvsScheduler === undefined ? {} : { ipvsScheduler: proxy.ipvsScheduler }),
    ...(proxy.rules === undefined ? {} : { rules: proxy.rules }),
    podCIDR,
    clusterCIDR: proxy.clusterCIDR,
    serviceCIDR: proxy.serviceCIDR,
    ingress: proxy.ingress,
    dialer,
    services: feeds.services,
    endpointSlices: feeds.endpointSlices,
    nodes: feeds.nodes,
  });
}

/** Through the machine's own sockets, at the ports where pods really listen. */
function podDialer(podPorts: PodPorts): Dialer {
  const way = ({ address, port }: SocketAddress, source: string) => ({
    kind: 'dial' as const,
    address,
    port: podPorts.dialPort(address, port),
    localAddress: source,
    lasting: podPorts.isSettled(address, port),
  });
  return { stream: way, datagrams: way };
}
