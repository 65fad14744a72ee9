import type { Clock } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { Random } from '../../base/random.ts';
import type { SocketAddress } from '../flow.ts';
import { type Connection, connectionKey } from './connection.ts';
import { ConnectionTable, TICK_MS } from './connection-table.ts';
import type { DecisionTrace } from './decision-trace.ts';
import type { Destination, DestinationSettings } from './destination.ts';
import { DestinationTrash } from './destination-trash.ts';
import { currentKernel, type KernelBehaviour } from './kernel.ts';
import {
  type ConnectionListing,
  listConnection,
  listService,
  type ServiceListing,
} from './listing.ts';
import { templateKey, templatePort } from './persistence.ts';
import type { SchedulerContext } from './schedulers/scheduler.ts';
import { type ControlOutcome, type DestinationAddress, ServiceTable } from './service-table.ts';
import { defaultSysctls, type IpvsSysctls } from './sysctls.ts';
import {
  isActiveTcpState,
  nextTcpState,
  type Segment,
  type Side,
  type TcpState,
} from './tcp-states.ts';
import { ConnectionTimeouts, type TimeoutChange } from './timeouts.ts';
import { HeapTask, TimerHeap } from './timer-heap.ts';
import type { Persistence, ServiceId, ServiceSettings, VirtualService } from './virtual-service.ts';

export interface IpvsOptions {
  readonly clock: Clock;
  /** For twos. */
  readonly random: Random;
  readonly kernel?: KernelBehaviour;
  readonly sysctls?: Partial<IpvsSysctls>;
  /** Entries and templates together; beyond it new connections are dropped. Default 1,048,576. */
  readonly maxConnections?: number;
  /** Told once after a connection's entry is gone: by its timer, or with its destination. */
  readonly onConnectionEnd?: (connection: Connection) => void;
}

/** A client's SYN or datagram as it reaches the director. Addresses are canonical text (base/ip). */
export interface IpvsPacket {
  readonly protocol: 'TCP' | 'UDP';
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  /** Firewall mark; absent or 0: none. */
  readonly fwmark?: number;
  /** It belongs to an older, confirmed conntrack entry: a rescheduled SYN is then dropped first. */
  readonly confirmedConntrack?: boolean;
}

export type IpvsVerdict =
  | {
      readonly kind: 'forward';
      readonly destination: Destination;
      /** Already ended in one-packet scheduling. `destinationPort` says where to. */
      readonly connection: Connection;
    }
  /** ICMP port unreachable. */
  | { readonly kind: 'refused' }
  /** Silence. */
  | {
      readonly kind: 'dropped';
      readonly reason: 'destination-removed' | 'conntrack' | 'table-full';
    }
  /** For the director's own sockets: a VIP without a listener answers with a reset. */
  | { readonly kind: 'pass'; readonly reason: 'no-service' | 'ftp-data-port' | 'ftp' };

/** What became of a packet of a known connection; 'pass' as in {@link IpvsVerdict}: it has no entry now. */
export type PacketFate = 'forward' | 'drop' | 'pass';

const DEFAULT_MAX_CONNECTIONS = 1 << 20;
const FTP_PORT = 21;
const FTP_DATA_PORT = 20;

/**
 * An IPVS director without a network: virtual services, schedulers, connections and their timers,
 * deciding as Linux does (net/netfilter/ipvs). It owns one timer of its clock; closing it ends the timer
 * and forgets everything, without telling `onConnectionEnd`.
 */
export class Ipvs implements Resource {
  readonly #clock: Clock;
  readonly #kernel: KernelBehaviour;
  readonly #sysctls: IpvsSysctls;
  readonly #timeouts = new ConnectionTimeouts();
  readonly #timers: TimerHeap;
  readonly #services: ServiceTable;
  readonly #connections: ConnectionTable;
  readonly #endUnavailable = new HeapTask(() => this.#connections.endUnavailable());

  constructor(options: IpvsOptions) {
    this.#clock = options.clock;
    this.#kernel = options.kernel ?? currentKernel;
    this.#sysctls = { ...defaultSysctls, ...options.sysctls };
    this.#timers = new TimerHeap(options.clock);
    const now = (): number => this.#clock.now();
    const context: SchedulerContext = {
      random: options.random,
      kernel: this.#kernel,
      sysctls: this.#sysctls,
      timers: this.#timers,
      now,
    };
    const trash = new DestinationTrash(this.#timers, now);
    this.#services = new ServiceTable(context, trash, () => this.#onDestinationRemoved());
    this.#connections = new ConnectionTable({
      timers: this.#timers,
      kernel: this.#kernel,
      maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
      onConnectionEnd: options.onConnectionEnd,
    });
  }

  addService(id: ServiceId, settings: ServiceSettings): ControlOutcome {
    return this.#services.addService(id, settings);
  }

  editService(id: ServiceId, settings: ServiceSettings): ControlOutcome {
    return this.#services.editService(id, settings);
  }

  deleteService(id: ServiceId): ControlOutcome {
    return this.#services.deleteService(id);
  }

  addDestination(
    id: ServiceId,
    where: DestinationAddress,
    settings: DestinationSettings,
  ): ControlOutcome {
    return this.#services.addDestination(id, where, settings);
  }

  editDestination(
    id: ServiceId,
    where: DestinationAddress,
    settings: DestinationSettings,
  ): ControlOutcome {
    return this.#services.editDestination(id, where, settings);
  }

  /** Its connections stay, or go a tick later, as expire_nodest_conn says. */
  deleteDestination(id: ServiceId, where: DestinationAddress): ControlOutcome {
    return this.#services.deleteDestination(id, where);
  }

  setSysctls(change: Partial<IpvsSysctls>): void {
    Object.assign(this.#sysctls, change);
  }

  setTimeouts(change: TimeoutChange): void {
    this.#timeouts.set(change);
  }

  /** In the order they were added. */
  listServices(): ServiceListing[] {
    return [...this.#services.values()].map(listService);
  }

  /** In the order they were made. */
  listConnections(): ConnectionListing[] {
    const now = this.#clock.now();
    return [...this.#connections].map((one) => listConnection(one, now, this.#kernel));
  }

  service(id: ServiceId): VirtualService | undefined {
    return this.#services.get(id);
  }

  connection(
    protocol: 'TCP' | 'UDP',
    source: SocketAddress,
    destination: SocketAddress,
  ): Connection | undefined {
    return this.#connections.find(connectionKey(protocol, source, destination, false));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Takes a client's SYN or datagram: it goes with its entry if that is still good, else a destination is
   * chosen and an entry made, which has then seen this packet.
   */
  schedule(packet: IpvsPacket, trace?: DecisionTrace): IpvsVerdict {
    const { protocol, source, destination } = packet;
    const key = connectionKey(protocol, source, destination, false);
    const existing = this.#connections.find(key);
    if (existing !== undefined) {
      const verdict = this.#useExisting(existing, packet, trace);
      if (verdict !== undefined) return verdict;
    }
    const { address, port } = destination;
    const service = this.#services.lookup(protocol, address, port, packet.fwmark ?? 0);
    if (service === undefined) {
      trace?.push({ kind: 'no-service', reason: 'no virtual service for this address and port' });
      return { kind: 'pass', reason: 'no-service' };
    }
    trace?.push({
      kind: 'service',
      service: service.key,
      scheduler: service.settings.scheduler,
    });
    if (source.port === FTP_DATA_PORT) {
      trace?.push({ kind: 'none', reason: 'client port 20 (ftp-data) is never scheduled' });
      return { kind: 'pass', reason: 'ftp-data-port' };
    }
    if (this.#connections.full) return { kind: 'dropped', reason: 'table-full' };
    const persistence = service.settings.persistence;
    return persistence === undefined
      ? this.#scheduleOnce(service, packet, trace)
      : this.#scheduleByTemplate(service, persistence, packet, trace);
  }

  /** A packet from the client of a connection that `schedule` returned, other than a SYN. */
  clientPacket(connection: Connection, segment: Segment = 'ack', bytes = 0): PacketFate {
    if (connection.ended) return 'pass';
    if (!connection.destination.available) {
      if (this.#sysctls.expire_nodest_conn === 0) return 'drop';
      this.#connections.expireSoon(connection);
      return 'pass';
    }
    this.#countIn(connection, 1, bytes);
    this.#advance(connection, 'client', segment);
    return 'forward';
  }

  /** A packet from the real server; a removed one's still pass. */
  serverPacket(connection: Connection, segment: Segment = 'ack', bytes = 0): PacketFate {
    if (connection.ended) return 'pass';
    this.#countOut(connection, 1, bytes);
    this.#advance(connection, 'server', segment);
    return 'forward';
  }

  /** Adds traffic of packets this director did not see one by one. */
  account(
    connection: Connection,
    traffic: {
      readonly packetsIn?: number;
      readonly bytesIn?: number;
      readonly packetsOut?: number;
      readonly bytesOut?: number;
    },
  ): void {
    this.#countIn(connection, traffic.packetsIn ?? 0, traffic.bytesIn ?? 0);
    this.#countOut(connection, traffic.packetsOut ?? 0, traffic.bytesOut ?? 0);
  }

  async close(): Promise<void> {
    this.#services.close();
    this.#timers.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Whether a packet stays with the entry it hits; undefined: it is scheduled anew. */
  #useExisting(
    connection: Connection,
    packet: IpvsPacket,
    trace: DecisionTrace | undefined,
  ): IpvsVerdict | undefined {
    const leaving = this.#reasonToLeave(connection);
    const destination = connection.destination;
    const removed = !destination.available;
    if (leaving === undefined && removed && this.#sysctls.expire_nodest_conn === 0) {
      traceExisting(trace, connection, 'dropped', 'destination removed, expire_nodest_conn=0');
      return { kind: 'dropped', reason: 'destination-removed' };
    }
    if (leaving === undefined && !removed) {
      traceExisting(trace, connection, 'kept', 'has an entry');
      this.#countIn(connection, 1, 0);
      this.#advance(connection, 'client', 'syn');
      return { kind: 'forward', destination, connection };
    }
    // The old entry counts until the tick, so also in the decision that follows.
    this.#connections.expireSoon(connection);
    const verdict = leaving === undefined ? 'expired' : 'rescheduled';
    traceExisting(trace, connection, verdict, leaving ?? 'destination removed');
    return packet.confirmedConntrack === true
      ? { kind: 'dropped', reason: 'conntrack' }
      : undefined;
  }

  /** Why a SYN leaves the entry it hits (ip_vs_in_hook). A datagram is never "new". */
  #reasonToLeave(connection: Connection): string | undefined {
    if (connection.protocol !== 'TCP') return undefined;
    const { conn_reuse_mode: reuseMode, expire_nodest_conn: expire } = this.#sysctls;
    if (expire !== 0 && connection.destination.weight === 0)
      return 'destination of weight 0, expire_nodest_conn=1';
    // Bit 2 of the mode adds FIN_WAIT of direct-routed and tunnelled entries; here all masquerade.
    const over = connection.state === 'TIME_WAIT' || connection.state === 'CLOSE';
    if (reuseMode !== 0 && connection.control === undefined && over)
      return `port reused in ${connection.state}`;
    return undefined;
  }

  #scheduleOnce(
    service: VirtualService,
    packet: IpvsPacket,
    trace: DecisionTrace | undefined,
  ): IpvsVerdict {
    const dialledPort = packet.destination.port;
    if (service.id.kind === 'address' && dialledPort !== service.port) {
      const reason = 'a service of every port must be persistent';
      trace?.push({ kind: 'none', reason });
      return refuse(service, dialledPort);
    }
    const destination = service.scheduler.schedule(packet, trace);
    if (destination === undefined) return refuse(service, dialledPort);
    const port = destination.port === 0 ? dialledPort : destination.port;
    return this.#connect(service, packet, destination, port, undefined);
  }

  #scheduleByTemplate(
    service: VirtualService,
    persistence: Persistence,
    packet: IpvsPacket,
    trace: DecisionTrace | undefined,
  ): IpvsVerdict {
    const { protocol, source, destination: dialled } = packet;
    const { client, ...names } = templateKey(service, persistence, protocol, source, dialled);
    const found = this.#connections.find(
      connectionKey(names.protocol, client, names.virtual, true),
    );
    let template = found;
    if (found !== undefined) {
      const valid = this.#isValid(found);
      if (!valid) {
        this.#connections.invalidate(found);
        template = undefined;
      }
      const verdict = valid ? 'used' : 'invalid';
      const holder = found.destination.name;
      trace?.push({ kind: 'template', client: client.address, verdict, destination: holder });
    }
    if (template === undefined) {
      const chosen = service.scheduler.schedule(packet, trace);
      if (chosen === undefined) return refuse(service, dialled.port);
      template = this.#connections.add({
        ...names,
        client,
        service,
        destination: chosen,
        destinationPort: templatePort(service, dialled.port, chosen.port),
        timeoutMs: persistence.timeoutMs,
        template: true,
      });
      const name = chosen.name;
      trace?.push({ kind: 'template', client: client.address, verdict: 'made', destination: name });
    }
    const destination = template.destination;
    // Services of every port and of a mark do not translate the port.
    const translates = dialled.port === service.port && destination.port !== 0;
    const port = translates ? destination.port : dialled.port;
    return this.#connect(service, packet, destination, port, template);
  }

  #isValid(template: Connection): boolean {
    const { available, weight } = template.destination;
    return available && (weight !== 0 || this.#sysctls.expire_quiescent_template === 0);
  }

  #connect(
    service: VirtualService,
    packet: IpvsPacket,
    destination: Destination,
    destinationPort: number,
    template: Connection | undefined,
  ): IpvsVerdict {
    const onePacket = service.settings.onePacket === true && packet.protocol === 'UDP';
    const connection = this.#connections.add({
      protocol: packet.protocol,
      client: packet.source,
      virtual: packet.destination,
      service,
      destination,
      destinationPort,
      timeoutMs: this.#timeouts.tcpMs.NONE,
      onePacket,
    });
    if (template !== undefined) {
      this.#connections.hold(template, connection);
      this.#connections.restart(template);
    }
    service.traffic.connections += 1;
    destination.traffic.connections += 1;
    this.#countIn(connection, 1, 0);
    this.#advance(connection, 'client', 'syn');
    if (onePacket) this.#connections.end(connection);
    return { kind: 'forward', destination, connection };
  }

  /** The state after a packet, and the entry's time anew. */
  #advance(connection: Connection, side: Side, segment: Segment): void {
    if (connection.protocol === 'UDP') {
      connection.state = 'UDP';
      connection.timeoutMs = this.#timeouts.udpMs;
      if (side === 'server') assure(connection.control);
    } else {
      // Only templates and UDP entries have other states.
      const state = nextTcpState(connection.state as TcpState, side, segment);
      connection.state = state;
      connection.timeoutMs = this.#timeouts.tcpMs[state];
      this.#connections.setActive(connection, isActiveTcpState(state));
      if (state === 'ESTABLISHED') assure(connection.control);
    }
    this.#connections.restart(connection);
  }

  #countIn(connection: Connection, packets: number, bytes: number): void {
    connection.service.traffic.packetsIn += packets;
    connection.service.traffic.bytesIn += bytes;
    connection.destination.traffic.packetsIn += packets;
    connection.destination.traffic.bytesIn += bytes;
  }

  #countOut(connection: Connection, packets: number, bytes: number): void {
    connection.service.traffic.packetsOut += packets;
    connection.service.traffic.bytesOut += bytes;
    connection.destination.traffic.packetsOut += packets;
    connection.destination.traffic.bytesOut += bytes;
  }

  #onDestinationRemoved(): void {
    if (this.#sysctls.expire_nodest_conn === 0 || this.#endUnavailable.waiting) return;
    this.#timers.restart(this.#endUnavailable, TICK_MS);
  }
}

function assure(template: Connection | undefined): void {
  if (template !== undefined) template.state = 'ASSURED';
}

/** ip_vs_leave: what arrives for other ports of an FTP service's address is not refused but passed on. */
function refuse(service: VirtualService, dialledPort: number): IpvsVerdict {
  return service.port === FTP_PORT && dialledPort !== FTP_PORT
    ? { kind: 'pass', reason: 'ftp' }
    : { kind: 'refused' };
}

function traceExisting(
  trace: DecisionTrace | undefined,
  connection: Connection,
  verdict: 'kept' | 'rescheduled' | 'expired' | 'dropped',
  reason: string,
): void {
  trace?.push({
    kind: 'connection',
    destination: connection.destination.name,
    state: connection.state,
    verdict,
    reason,
  });
}
