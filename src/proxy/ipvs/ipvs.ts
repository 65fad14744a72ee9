import type { Clock } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { Random } from '../../base/random.ts';
import type { SocketAddress } from '../flow.ts';
import { type Connection, connectionKey } from './connection.ts';
import { ConnectionProgress } from './connection-progress.ts';
import { ConnectionTable, TICK_MS } from './connection-table.ts';
import type { DecisionTrace } from './decision-trace.ts';
import type { DestinationSettings } from './destination.ts';
import { DestinationTrash } from './destination-trash.ts';
import { currentKernel, type KernelBehaviour } from './kernel.ts';
import {
  type ConnectionListing,
  listConnection,
  listService,
  type ServiceListing,
} from './listing.ts';
import type { IpvsPacket, IpvsVerdict, PacketFate } from './ipvs-packet.ts';
import { PacketScheduler } from './packet-scheduler.ts';
import type { SchedulerContext } from './schedulers/scheduler.ts';
import { type ControlOutcome, type DestinationAddress, ServiceTable } from './service-table.ts';
import { defaultSysctls, type IpvsSysctls } from './sysctls.ts';
import type { Segment } from './tcp-states.ts';
import { ConnectionTimeouts, type TimeoutChange } from './timeouts.ts';
import { HeapTask, TimerHeap } from './timer-heap.ts';
import type { ServiceId, ServiceSettings, VirtualService } from './virtual-service.ts';

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

const DEFAULT_MAX_CONNECTIONS = 1 << 20;

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
  readonly #progress: ConnectionProgress;
  readonly #scheduler: PacketScheduler;
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
    this.#progress = new ConnectionProgress(this.#connections, this.#timeouts, now);
    this.#scheduler = new PacketScheduler({
      services: this.#services,
      connections: this.#connections,
      progress: this.#progress,
      timeouts: this.#timeouts,
      sysctls: this.#sysctls,
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
    const now = this.#clock.now();
    return [...this.#services.values()].map((service) => listService(service, now));
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
    return this.#scheduler.schedule(packet, trace);
  }

  /** A packet from the client of a connection that `schedule` returned, other than a SYN. */
  clientPacket(connection: Connection, segment: Segment = 'ack', bytes = 0): PacketFate {
    if (connection.ended) return 'pass';
    if (!connection.destination.available) {
      if (this.#sysctls.expire_nodest_conn === 0) return 'drop';
      this.#connections.expireSoon(connection);
      return 'pass';
    }
    this.#progress.countIn(connection, 1, bytes);
    this.#progress.advance(connection, 'client', segment);
    return 'forward';
  }

  /** A packet from the real server; a removed one's still pass. */
  serverPacket(connection: Connection, segment: Segment = 'ack', bytes = 0): PacketFate {
    if (connection.ended) return 'pass';
    this.#progress.countOut(connection, 1, bytes);
    this.#progress.advance(connection, 'server', segment);
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
    this.#progress.countIn(connection, traffic.packetsIn ?? 0, traffic.bytesIn ?? 0);
    this.#progress.countOut(connection, traffic.packetsOut ?? 0, traffic.bytesOut ?? 0);
  }

  async close(): Promise<void> {
    this.#services.close();
    this.#timers.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onDestinationRemoved(): void {
    if (this.#sysctls.expire_nodest_conn === 0 || this.#endUnavailable.waiting) return;
    this.#timers.restart(this.#endUnavailable, TICK_MS);
  }
}
