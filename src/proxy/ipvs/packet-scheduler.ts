import { type Connection, connectionKey } from './connection.ts';
import type { ConnectionProgress } from './connection-progress.ts';
import type { ConnectionTable } from './connection-table.ts';
import type { DecisionTrace } from './decision-trace.ts';
import type { Destination } from './destination.ts';
import type { IpvsPacket, IpvsVerdict } from './ipvs-packet.ts';
import { templateKey, templatePort } from './persistence.ts';
import type { ServiceTable } from './service-table.ts';
import type { IpvsSysctls } from './sysctls.ts';
import type { ConnectionTimeouts } from './timeouts.ts';
import type { Persistence, VirtualService } from './virtual-service.ts';

const FTP_PORT = 21;
const FTP_DATA_PORT = 20;

/** What a director lends to who decides on its packets. */
export interface PacketSchedulerParts {
  readonly services: ServiceTable;
  readonly connections: ConnectionTable;
  readonly progress: ConnectionProgress;
  readonly timeouts: ConnectionTimeouts;
  readonly sysctls: Readonly<IpvsSysctls>;
}

/** Where a client's SYNs and datagrams go (ip_vs_in_hook, ip_vs_schedule, ip_vs_sched_persist). */
export class PacketScheduler {
  readonly #services: ServiceTable;
  readonly #connections: ConnectionTable;
  readonly #progress: ConnectionProgress;
  readonly #timeouts: ConnectionTimeouts;
  readonly #sysctls: Readonly<IpvsSysctls>;

  constructor(parts: PacketSchedulerParts) {
    this.#services = parts.services;
    this.#connections = parts.connections;
    this.#progress = parts.progress;
    this.#timeouts = parts.timeouts;
    this.#sysctls = parts.sysctls;
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
      this.#progress.countIn(connection, 1, 0);
      this.#progress.advance(connection, 'client', 'syn');
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
    this.#progress.countConnection(connection);
    this.#progress.countIn(connection, 1, 0);
    this.#progress.advance(connection, 'client', 'syn');
    if (onePacket) this.#connections.end(connection);
    return { kind: 'forward', destination, connection };
  }
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
