import type { Duplex, Writable } from 'node:stream';
import { type Cidr, cidrContains, formatHostPort, parseIpv4 } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { DropReason } from '../netstack/drop-log.ts';
import type { InterfaceCounters } from '../netstack/ip/net-interface.ts';
import type { ConnectOutcome } from '../netstack/tcp/tcp-layer.ts';
import { TcpStream } from '../netstack/tcp-stream.ts';
import { Capture, innerTap, outerTap } from './capture.ts';
import { type DatagramChannel, openChannel } from './datagram-channel.ts';
import { desiredEntries, type LocalNode } from './desired-entries.ts';
import { EVERY_NODE, FaultPlan, type PlannedFaults } from './fault-plan.ts';
import { failedStream } from './failed-stream.ts';
import type { RouteEntry } from './forwarding-entries.ts';
import type { Lease } from './lease.ts';
import { checkFaults, type LinkFaults } from './link-faults.ts';
import type { LinkDirection } from './link-shaper.ts';
import { overlayMtu } from './mtu.ts';
import { type OverlayChanges, OverlayTables } from './overlay-tables.ts';
import type { OverlayNodeOptions } from './overlay-options.ts';
import { openTunnel, type Tunnel } from './overlay-tunnel.ts';
import type { PodDatagramCounters } from './pod-datagrams.ts';
import type { PodGateCounters } from './pod-gate.ts';
import type { VxlanLink } from './render-tables.ts';
import { RouteLookup } from './route-lookup.ts';
import { applyToStack } from './stack-routes.ts';
import type { Vtep } from './vtep.ts';
import type { VtepDropReason } from './vtep-drops.ts';
import { generateVtepMac } from './vtep-mac.ts';
import type { PeerCounters } from './vtep-peer.ts';

/** How this node reaches an address. */
export type Reach =
  /** A pod of its own: dial it. */
  | { readonly kind: 'local' }
  /** Without encapsulation: dial it. */
  | { readonly kind: 'direct'; readonly route: RouteEntry }
  /** Through {@link OverlayNode.connect}. */
  | { readonly kind: 'overlay'; readonly route: RouteEntry }
  | { readonly kind: 'unreachable' };

export interface OverlayCounters {
  readonly device: Readonly<InterfaceCounters> | undefined;
  readonly peers: ReadonlyMap<string, Readonly<PeerCounters>>;
  readonly drops: ReadonlyMap<DropReason | VtepDropReason, number>;
  readonly gate: Readonly<PodGateCounters> | undefined;
  readonly datagrams: Readonly<PodDatagramCounters> | undefined;
  readonly connections: number;
}

/** After lo and eth0. */
const VXLAN_LINK_INDEX = 3;

const CONNECT_ERRORS: Readonly<Record<Exclude<ConnectOutcome['kind'], 'connecting'>, string>> = {
  'no-route': 'ENETUNREACH',
  'ports-exhausted': 'EADDRNOTAVAIL',
  'address-in-use': 'EADDRINUSE',
  'too-many-connections': 'EMFILE',
};

/**
 * The overlay of one node: its tables, its userspace stack and its VTEP. Connections to pods of other nodes go out by
 * {@link connect}; connections from there are dialled on to this node's pods. Owns everything that it opens.
 */
export class OverlayNode implements Resource {
  /** What this node announces to the others. */
  readonly lease: Lease;
  /** Largest inner packet: what the pods have. */
  readonly mtu: number;
  readonly tables: OverlayTables = new OverlayTables();
  readonly #options: OverlayNodeOptions;
  readonly #lifetime: Lifetime;
  readonly #tunnel: Tunnel | undefined;
  /** Addresses of this node's pods. */
  readonly #pods: Set<number>;
  /** Outgoing connections, to be ended with the node. */
  readonly #streams = new Set<Duplex>();
  readonly #faults = new FaultPlan();
  #leases: readonly Lease[] = [];
  #routes = new RouteLookup([]);
  #problems: readonly string[] = [];

  private constructor(
    options: OverlayNodeOptions,
    lifetime: Lifetime,
    lease: Lease,
    tunnel: Tunnel | undefined,
    pods: Set<number>,
  ) {
    this.#options = options;
    this.#lifetime = lifetime;
    this.lease = lease;
    this.mtu = overlayMtu(options.conf.backend, options.underlayMtu);
    this.#tunnel = tunnel;
    this.#pods = pods;
    lifetime.defer(() => {
      for (const stream of this.#streams) stream.destroy();
    });
    this.setLeases([]);
  }

  /** Rejects with the system's error where the VTEP's address and port cannot be had. */
  static async open(options: OverlayNodeOptions): Promise<OverlayNode> {
    const lifetime = new Lifetime(`overlay ${options.name}`);
    try {
      const { backend } = options.conf;
      const { subnet, publicIp } = options;
      const part = { subnet, publicIp };
      if (backend.type === 'host-gw') {
        const lease = { node: options.name, backendType: backend.type, ipv4: part };
        return new OverlayNode(options, lifetime, lease, undefined, new Set());
      }
      const mac =
        options.vtepMac ?? generateVtepMac(options.random.fork('vtep mac'), backend.macPrefix);
      const ipv4 = { ...part, vtep: { vni: backend.vni, mac } };
      const lease = { node: options.name, backendType: backend.type, ipv4 };
      const pods = new Set<number>();
      const tunnel = await openTunnel(options, backend, lifetime, mac, pods);
      return new OverlayNode(options, lifetime, lease, tunnel, pods);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Leases that contradict this node's configuration or each other, as of the last {@link setLeases}. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** The VTEP, for faults and captures; undefined with host-gw. */
  get vtep(): Vtep | undefined {
    return this.#tunnel?.vtep;
  }

  /** The device as `ip link` shows it; undefined with host-gw. */
  vxlanLink(): VxlanLink | undefined {
    const { backend } = this.#options.conf;
    if (this.#tunnel === undefined || backend.type !== 'vxlan') return undefined;
    const { device, vtep, driver } = this.#tunnel;
    const { underlayDevice } = this.#localNode();
    const { counters } = device;
    return {
      index: VXLAN_LINK_INDEX,
      name: device.name,
      mac: device.mac,
      mtu: this.mtu,
      vni: backend.vni,
      local: vtep.address,
      underlayDevice,
      port: backend.port,
      learning: backend.learning,
      counters: {
        receivedBytes: counters.receivedBytes,
        receivedPackets: counters.receivedPackets,
        receivedDropped: total(driver.stack.drops.counts()),
        sentBytes: counters.sentBytes,
        sentPackets: counters.sentPackets,
        sentDropped: vtep.sentDropped,
      },
    };
  }

  /** Makes routes, neighbours and FDB what all leases together mean. This node's own may be among them. */
  setLeases(leases: readonly Lease[]): OverlayChanges {
    const wanted = desiredEntries(this.#localNode(), leases);
    this.#report(wanted.problems);
    this.#leases = leases;
    const changes = this.tables.reconcile(wanted);
    const routes = [...this.tables.routes.entries.values()];
    this.#routes = new RouteLookup(routes);
    if (this.#tunnel !== undefined) {
      const { device, driver, vtep } = this.#tunnel;
      vtep.setFdb(
        [...this.tables.fdb.entries.values()].filter((entry) => entry.device === device.name),
      );
      applyToStack(driver.stack, new Map([[device.name, device]]), changes);
      this.#applyFaults();
    }
    return changes;
  }

  /** A pod of this node has the address from now on: what others send there is let in. */
  addPod(address: string): void {
    const value = parseIpv4(address);
    if (value === undefined) return;
    this.#pods.add(value);
    this.#tunnel?.driver.stack.addAddress(value);
  }

  /** The pod is gone: its connections from other nodes end without a word, as if unplugged. */
  removePod(address: string): void {
    const value = parseIpv4(address);
    if (value === undefined) return;
    this.#pods.delete(value);
    this.#tunnel?.gate.removePod(value);
    this.#tunnel?.datagrams.removePod(value);
    this.#tunnel?.driver.stack.removeAddress(value);
  }

  reach(address: string): Reach {
    const value = parseIpv4(address);
    const route = value === undefined ? undefined : this.#routes.lookup({ family: 'IPv4', value });
    if (route === undefined) return { kind: 'unreachable' };
    if (route.device === this.#tunnel?.device.name) return { kind: 'overlay', route };
    return route.via === undefined && cidrContainsText(this.#options.subnet, address)
      ? { kind: 'local' }
      : { kind: 'direct', route };
  }

  /** How the pods of a node, or of {@link EVERY_NODE}, are reached: nothing for a node without a route. */
  waysTo(node: string): readonly ('direct' | 'overlay')[] {
    const routes = [...this.tables.routes.entries.values()].filter(
      ({ owner }) => owner !== this.lease.node && (node === EVERY_NODE || owner === node),
    );
    return routes.map(({ device }) =>
      device === this.#tunnel?.device.name ? 'overlay' : 'direct',
    );
  }

  /**
   * A connection to a pod of another node, through the tunnel. `sourceAddress` is kept if it is one of this node's
   * pods; others appear as the node's own overlay address, as flannel's masquerade has it. The stream emits `connect`,
   * or `error` with the codes of node:net.
   */
  connect(target: {
    readonly sourceAddress: string;
    readonly address: string;
    readonly port: number;
  }): Duplex {
    const address = parseIpv4(target.address);
    if (this.#tunnel === undefined || address === undefined || this.#lifetime.ended)
      return this.#failed('ENETUNREACH', target);
    const { driver } = this.#tunnel;
    const outcome = driver.stack.tcp.connect(
      driver.now(),
      { address, port: target.port, source: this.#sourceFor(target.sourceAddress) },
      {},
    );
    if (outcome.kind !== 'connecting') return this.#failed(CONNECT_ERRORS[outcome.kind], target);
    const stream = new TcpStream(outcome.socket, {
      clock: this.#options.clock,
      isConnecting: true,
    });
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    return stream;
  }

  /**
   * Datagrams to and from a pod of another node, through the tunnel; the source as with {@link connect}. Undefined where
   * there is no tunnel or no port is left.
   */
  openChannel(
    target: { readonly sourceAddress: string; readonly address: string; readonly port: number },
    receive: (message: Uint8Array) => void,
  ): DatagramChannel | undefined {
    const address = parseIpv4(target.address);
    if (this.#tunnel === undefined || address === undefined || this.#lifetime.ended)
      return undefined;
    const source = this.#sourceFor(target.sourceAddress);
    return openChannel(this.#tunnel.driver, { source, address, port: target.port }, receive);
  }

  /**
   * What is wrong with the link to or from a node or, for {@link EVERY_NODE}, with all others; undefined heals it.
   * Throws a RangeError that names the field. No effect with host-gw, which has no link of its own.
   */
  setFaults(node: string, direction: LinkDirection, faults: LinkFaults | undefined): void {
    if (faults !== undefined) checkFaults(faults);
    this.#faults.set(node, direction, faults);
    this.#applyFaults();
  }

  /** Heals every link. */
  clearFaults(): void {
    this.#faults.clear();
    this.#applyFaults();
  }

  faults(): PlannedFaults[] {
    return this.#faults.list();
  }

  /**
   * Writes pcapng to `sink` until the returned function is called. `pod`: inner frames, as the pods' side of the tunnel
   * has them; `vtep`: with VXLAN and what is around it. Undefined with host-gw, which has no tunnel.
   */
  capture(point: 'pod' | 'vtep', sink: Writable): (() => void) | undefined {
    if (this.#tunnel === undefined) return undefined;
    const { device, vtep } = this.#tunnel;
    const { clock, name } = this.#options;
    const { underlayDevice } = this.#localNode();
    const interfaceName = `${name} ${point === 'pod' ? device.name : underlayDevice}`;
    const capture = new Capture({ sink, clock, name: interfaceName });
    return vtep.addTap(point === 'pod' ? innerTap(capture) : outerTap(capture, vtep.address));
  }

  counters(): OverlayCounters {
    const tunnel = this.#tunnel;
    return {
      device: tunnel?.device.counters,
      peers: tunnel?.vtep.counters() ?? new Map(),
      drops: new Map<DropReason | VtepDropReason, number>([
        ...(tunnel?.vtep.drops() ?? []),
        ...(tunnel?.driver.stack.drops.counts() ?? []),
      ]),
      gate: tunnel?.gate.counters,
      datagrams: tunnel?.datagrams.counters,
      connections: tunnel?.driver.stack.tcp.connectionCount ?? 0,
    };
  }

  /** Connections cannot be drained: their other ends decide. The same as ending now. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #applyFaults(): void {
    if (this.#tunnel === undefined) return;
    const { shaper, vtep } = this.#tunnel;
    this.#faults.apply(shaper, this.#leases);
    vtep.setHook(shaper.isIdle ? undefined : shaper);
  }

  #localNode(): LocalNode {
    const { conf, underlayNetworks, underlayDevice = 'eth0' } = this.#options;
    return { lease: this.lease, conf, underlayDevice, underlayNetworks };
  }

  #report(problems: readonly string[]): void {
    const { log, name } = this.#options;
    for (const problem of problems)
      if (!this.#problems.includes(problem)) log.warn({ node: name, problem }, 'lease left out');
    this.#problems = problems;
  }

  #sourceFor(address: string): number {
    const value = parseIpv4(address);
    if (value !== undefined && this.#pods.has(value)) return value;
    return Number(this.#options.subnet.base);
  }

  #failed(code: string, target: { readonly address: string; readonly port: number }): Duplex {
    return failedStream(code, `connect ${code} ${formatHostPort(target.address, target.port)}`);
  }
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function cidrContainsText(cidr: Cidr, address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && cidrContains(cidr, { family: 'IPv4', value });
}
