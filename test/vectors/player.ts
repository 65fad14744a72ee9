// Plays the events of a trace against the IPVS core in virtual time and says what it saw.
import { ManualClock } from '../../src/base/clock.ts';
import { cidrContains, formatHostPort, parseCidr, parseIp } from '../../src/base/ip.ts';
import type { Random } from '../../src/base/random.ts';
import type { SocketAddress } from '../../src/proxy/flow.ts';
import type { Connection } from '../../src/proxy/ipvs/connection.ts';
import { Ipvs } from '../../src/proxy/ipvs/ipvs.ts';
import type { IpvsPacket } from '../../src/proxy/ipvs/ipvs-packet.ts';
import type { KernelBehaviour } from '../../src/proxy/ipvs/kernel.ts';
import type { ConnectionListing, ServiceListing } from '../../src/proxy/ipvs/listing.ts';
import type { ControlOutcome } from '../../src/proxy/ipvs/service-table.ts';
import type { Segment, Side } from '../../src/proxy/ipvs/tcp-states.ts';
import { serviceKey } from '../../src/proxy/ipvs/virtual-service.ts';
import {
  canonicalName,
  serviceId,
  serviceName,
  serviceSettings,
  socketAddress,
} from './services.ts';
import { eventSysctls, knownSysctls, nestedObjects } from './sysctls.ts';
import type { Trace, TraceDest, TraceEvent, TraceService } from './trace.ts';

/** What an event led to here, in the words of the trace. */
export interface Observation {
  readonly result?: string | null;
  readonly error?: string;
  readonly entry?: { readonly dest: string; readonly state: string };
  readonly replyFrom?: string;
  readonly state?: string | null;
  readonly connections?: readonly ConnectionListing[];
}

type Step = readonly [Side, Segment];

const CLIENT_FIN: readonly Step[] = [
  ['client', 'fin'],
  ['server', 'ack'],
];
const SERVER_FIN: readonly Step[] = [
  ['server', 'fin'],
  ['client', 'ack'],
];

/** The segments of each way of closing; `finish` is the other half of what was done before. */
const CLOSES: Readonly<Record<string, readonly Step[]>> = {
  client: [...CLIENT_FIN, ...SERVER_FIN],
  server: [...SERVER_FIN, ...CLIENT_FIN],
  'client-half': CLIENT_FIN,
  'server-half': SERVER_FIN,
  'client-rst': [['client', 'rst']],
  'server-rst': [['server', 'rst']],
};

/** A client's SYN goes out again after 1, 3, 7 … seconds, six times (tcp_syn_retries). */
const SYN_TIMES_S = [1, 3, 7, 15, 31, 63];
/** Events follow within milliseconds, but what the kernel does "at once" is done. */
const SETTLE_MS = 8;
const DEFAULT_PATIENCE_S = 1;

export class TracePlayer {
  readonly #trace: Trace;
  readonly #services: readonly TraceService[];
  readonly #clock = new ManualClock();
  readonly #ipvs: Ipvs;
  readonly #connections = new Map<string, Connection>();
  readonly #halfClosed = new Map<string, string>();
  readonly #schedulers = new Map<string, string>();

  constructor(trace: Trace, kernel: KernelBehaviour, random: Random) {
    this.#trace = trace;
    const { scheduler, flags = [], protocol = 'TCP', dests = [] } = trace;
    this.#services = [
      { scheduler, flags, protocol, dests, ...trace.service },
      ...(trace.more_services ?? []).map((one) => ({ protocol, scheduler, ...one })),
    ];
    this.#ipvs = new Ipvs({
      clock: this.#clock,
      random,
      kernel,
      sysctls: knownSysctls(trace.sysctls ?? {}),
    });
    for (const service of this.#services) this.#addService(service);
  }

  /** The services and their destinations as they are now. */
  services(): ServiceListing[] {
    return this.#ipvs.listServices();
  }

  play(event: TraceEvent): Observation {
    const observation = this.#apply(event);
    this.#clock.advance(SETTLE_MS);
    // The table is read last, as the recorder did.
    return event.op === 'conntab' ? { connections: this.#ipvs.listConnections() } : observation;
  }

  async close(): Promise<void> {
    await this.#ipvs.close();
  }

  #apply(event: TraceEvent): Observation {
    switch (event.op) {
      case 'connect':
        return this.#connect(event);
      case 'udp':
        return this.#datagram(event);
      case 'close':
        return this.#closeConnection(event);
      case 'echo':
        return this.#echo(event);
      case 'wait':
        this.#clock.advance((event.seconds ?? 0) * 1000);
        return {};
      case 'conntab':
        return {};
      default:
        return this.#control(event);
    }
  }

  #control(event: TraceEvent): Observation {
    const service = this.#serviceOf(event);
    const id = serviceId(service);
    switch (event.op) {
      case 'add':
        return outcome(this.#ipvs.addDestination(id, where(event), settings(event)));
      case 'weight':
        return outcome(this.#ipvs.editDestination(id, where(event), settings(event)));
      case 'remove':
        return outcome(this.#ipvs.deleteDestination(id, where(event)));
      case 'edit-service':
        return this.#editService(service, event);
      case 'sysctl':
        this.#ipvs.setSysctls(eventSysctls(event));
        return {};
      case 'timeouts':
        this.#ipvs.setTimeouts({
          tcpMs: (event.tcp ?? 0) * 1000,
          tcpFinMs: (event.tcpfin ?? 0) * 1000,
          udpMs: (event.udp ?? 0) * 1000,
        });
        return {};
      default:
        throw new Error(`unknown op "${event.op}"`);
    }
  }

  #addService(service: TraceService): void {
    const id = serviceId(service);
    const scheduler = service.scheduler ?? this.#trace.scheduler;
    this.#schedulers.set(serviceKey(id), scheduler);
    must(this.#ipvs.addService(id, serviceSettings(service, scheduler)));
    for (const dest of service.dests ?? [])
      must(this.#ipvs.addDestination(id, where(dest), settings(dest)));
  }

  /** Without a scheduler in the event the service keeps its own; all else not named is switched off. */
  #editService(service: TraceService, event: TraceEvent): Observation {
    const id = serviceId(service);
    const { addr, fwmark, protocol, dests } = service;
    const named: TraceService = Object.assign({}, event, ...nestedObjects(event));
    const { scheduler: wanted, flags, persistent, netmask, ops } = named;
    const key = serviceKey(id);
    const scheduler = wanted ?? this.#schedulers.get(key) ?? this.#trace.scheduler;
    this.#schedulers.set(key, scheduler);
    const edited = { addr, fwmark, protocol, dests, flags, persistent, netmask, ops };
    return outcome(this.#ipvs.editService(id, serviceSettings(edited, scheduler)));
  }

  /** The service an event is about; the first one unless it says otherwise. */
  #serviceOf(event: TraceEvent): TraceService {
    const named = typeof event.service === 'string' ? { addr: event.service } : event.service;
    const { addr, fwmark, protocol } = { ...named, ...event };
    const wanted = addr ?? named?.addr;
    if (wanted === undefined && fwmark === undefined && protocol === undefined)
      return this.#services[0] ?? this.#trace.service;
    const found = this.#services.find(
      (one) =>
        (wanted === undefined || isNamed(one, wanted)) &&
        (fwmark === undefined || one.fwmark === fwmark) &&
        (protocol === undefined || isOfProtocol(one, protocol)),
    );
    if (found === undefined)
      throw new Error(`the trace has no service ${wanted ?? `with fwmark ${fwmark}`}`);
    return found;
  }

  #packet(event: TraceEvent, protocol: 'TCP' | 'UDP'): IpvsPacket {
    // Scenarios with a fwmark service mark every packet that comes in from the clients.
    const marked = this.#services.find((one) => one.fwmark !== undefined)?.fwmark ?? 0;
    const fwmark = event.from === 'director' ? 0 : marked;
    const source = socketAddress(event.src ?? '');
    return { protocol, source, destination: socketAddress(event.dst ?? ''), fwmark };
  }

  #connect(event: TraceEvent): Observation {
    const packet = this.#packet(event, 'TCP');
    const patienceS = event.client_gave_up_after_s ?? DEFAULT_PATIENCE_S;
    const startedAt = this.#clock.now();
    for (const nextS of [...SYN_TIMES_S, Infinity]) {
      const verdict = this.#ipvs.schedule(packet);
      if (verdict.kind === 'refused' || verdict.kind === 'pass')
        return { result: null, error: 'ECONNREFUSED' };
      if (verdict.kind === 'forward' && !this.#isBlackhole(verdict.destination.address))
        return this.#answer(event.conn ?? '', verdict.connection);
      if (nextS >= patienceS) break;
      this.#clock.advanceTo(startedAt + nextS * 1000);
    }
    this.#clock.advanceTo(startedAt + patienceS * 1000);
    return { result: null, error: 'TIMEOUT', ...this.#entryOf(packet) };
  }

  /** A datagram is not sent again. */
  #unanswered(packet: IpvsPacket, event: TraceEvent): Observation {
    this.#clock.advance((event.client_gave_up_after_s ?? 0) * 1000);
    return { result: null, error: 'TIMEOUT', ...this.#entryOf(packet) };
  }

  #answer(name: string, connection: Connection): Observation {
    this.#connections.set(name, connection);
    if (this.#isClosedPort(connection)) {
      this.#ipvs.serverPacket(connection, 'rst');
      const entry = { dest: backendName(connection), state: connection.state };
      return { result: null, error: 'ECONNREFUSED', entry };
    }
    this.#ipvs.serverPacket(connection, 'syn');
    this.#ipvs.clientPacket(connection, 'ack');
    return { result: backendName(connection) };
  }

  #datagram(event: TraceEvent): Observation {
    const packet = this.#packet(event, 'UDP');
    const verdict = this.#ipvs.schedule(packet);
    if (verdict.kind === 'dropped') return this.#unanswered(packet, event);
    if (verdict.kind !== 'forward') return { result: null, error: 'ECONNREFUSED' };
    const { connection } = verdict;
    if (this.#isBlackhole(verdict.destination.address)) return this.#unanswered(packet, event);
    if (this.#isClosedPort(connection))
      return { result: null, error: 'ECONNREFUSED', ...this.#entryOf(packet) };
    const translated = this.#ipvs.serverPacket(connection) === 'forward';
    const result = backendName(connection);
    return translated ? { result } : { result, replyFrom: result };
  }

  #closeConnection(event: TraceEvent): Observation {
    const name = event.conn ?? '';
    const connection = this.#connections.get(name);
    if (connection === undefined) return { state: null };
    const how = event.how ?? 'client';
    const steps =
      how === 'finish'
        ? this.#halfClosed.get(name) === 'client-half'
          ? SERVER_FIN
          : CLIENT_FIN
        : CLOSES[how];
    if (steps === undefined) throw new Error(`unknown way to close "${how}"`);
    this.#halfClosed.set(name, how);
    this.#send(connection, steps);
    return { state: connection.ended ? null : connection.state };
  }

  /** What is not delivered is not acknowledged either. */
  #send(connection: Connection, steps: readonly Step[]): void {
    let delivered = true;
    for (const [side, segment] of steps) {
      if (segment === 'ack' && !delivered) continue;
      const fate =
        side === 'client'
          ? this.#ipvs.clientPacket(connection, segment)
          : this.#ipvs.serverPacket(connection, segment);
      delivered = fate === 'forward';
      // The other side's turn comes after what the kernel does about it "at once".
      if (!delivered) this.#clock.advance(SETTLE_MS);
    }
  }

  #echo(event: TraceEvent): Observation {
    const connection = this.#connections.get(event.conn ?? '');
    if (connection === undefined) return { result: 'reset' };
    const fate = this.#ipvs.clientPacket(connection, 'ack');
    if (fate === 'pass') return { result: 'reset' };
    if (fate === 'drop') return { result: 'timeout' };
    this.#ipvs.serverPacket(connection, 'ack');
    this.#ipvs.clientPacket(connection, 'ack');
    return { result: 'ok' };
  }

  #entryOf(packet: IpvsPacket): Pick<Observation, 'entry'> {
    const { protocol, source, destination } = packet;
    const connection = this.#ipvs.connection(protocol, source, destination);
    if (connection === undefined) return {};
    return { entry: { dest: backendName(connection), state: connection.state } };
  }

  #isBlackhole(address: string): boolean {
    const ip = parseIp(address);
    return (this.#trace.environment?.blackhole ?? []).some((text) => {
      const cidr = parseCidr(text, { allowHostBits: true });
      if (cidr === undefined) return text === address;
      return ip !== undefined && cidrContains(cidr, ip);
    });
  }

  #isClosedPort(connection: Connection): boolean {
    const closed = this.#trace.environment?.closed_ports ?? [];
    return closed.some((text) => canonicalName(text) === backendName(connection));
  }
}

function isNamed(service: TraceService, wanted: string): boolean {
  const name = serviceName(serviceId(service));
  return name === wanted || name === canonicalName(wanted);
}

function isOfProtocol(service: TraceService, protocol: string): boolean {
  return (service.protocol ?? 'TCP').toUpperCase() === protocol.toUpperCase();
}

function backendName(connection: Connection): string {
  return formatHostPort(connection.destination.address, connection.destinationPort);
}

function where(dest: { readonly dest?: string }): SocketAddress {
  return socketAddress(dest.dest ?? '');
}

/** An edit without thresholds sets them to 0. */
function settings(dest: Partial<TraceDest>): {
  weight: number;
  upperThreshold: number;
  lowerThreshold: number;
} {
  return {
    weight: dest.weight ?? 1,
    upperThreshold: dest.u_threshold ?? 0,
    lowerThreshold: dest.l_threshold ?? 0,
  };
}

function outcome(result: ControlOutcome): Observation {
  return result.kind === 'ok' ? {} : { error: result.kind };
}

function must(result: ControlOutcome): void {
  if (result.kind !== 'ok') throw new Error(`setup: ${result.kind}: ${result.detail}`);
}
