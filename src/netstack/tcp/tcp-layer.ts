import type { Random } from '../../base/random.ts';
import { IpProtocol } from '../../wire/ipv4.ts';
import { decodeTcp, emptyTcp, tcpChecksumAt, TcpFlag } from '../../wire/tcp.ts';
import { UnreachableCode } from '../../wire/icmp.ts';
import { DeadlineHeap } from '../deadline-heap.ts';
import type { DropLog } from '../drop-log.ts';
import type { IcmpReport } from '../icmp-layer.ts';
import type { ReceivedPacket } from '../ip/ip-input.ts';
import type { IpOutput } from '../ip/ip-output.ts';
import { acceptChecksum } from '../ip/transport-checksum.ts';
import { seqAdd, seqBefore } from '../seq.ts';
import { ConnectionTable } from './connection-table.ts';
import { type ConnectTarget, EphemeralPorts } from './ephemeral-ports.ts';
import { agreeOnOptions } from './handshake.ts';
import { type Listening, Listeners, type ListenOptions, type TcpListener } from './listeners.ts';
import { type IncomingSegment, refuseSegment, updateMss } from './segment.ts';
import { sendPending } from './send-pending.ts';
import { segmentArrives } from './segment-arrives.ts';
import type { TcpConfig } from './tcp-config.ts';
import {
  type FourTuple,
  TcpConnection,
  TcpEvent,
  type TcpHandler,
  type TcpHost,
} from './tcp-connection.ts';
import { emptyCounters, type TcpCounters } from './tcp-counters.ts';
import { TcpSocket } from './tcp-socket.ts';
import { runTimers } from './timers.ts';
import { TupleHash } from './tuple-hash.ts';

export type ConnectOutcome =
  | { readonly kind: 'connecting'; readonly socket: TcpSocket }
  | { readonly kind: 'no-route' | 'ports-exhausted' | 'address-in-use' | 'too-many-connections' };

const MAX_CONNECTIONS = 65_536;
/** Beyond it the oldest ends early. Linux: net.ipv4.tcp_max_tw_buckets, at its size on a small machine. */
const MAX_TIME_WAITS = 32_768;
/** RFC 6528 §3: the initial sequence number moves every 4 µs. */
const ISN_PER_MS = 250;

/** All connections of a stack: finds whose a segment is, runs their timers, lets them send. */
export class TcpLayer implements TcpHost {
  readonly output: IpOutput;
  readonly drops: DropLog;
  readonly counters: TcpCounters = emptyCounters();
  readonly #config: TcpConfig;
  readonly #onWake: () => void;
  readonly #table: ConnectionTable;
  readonly #listeners = new Listeners();
  /** Oldest first. */
  readonly #timeWaits = new Set<TcpConnection>();
  readonly #deadlines = new DeadlineHeap<TcpConnection>();
  readonly #isnHash: TupleHash;
  readonly #timestampHash: TupleHash;
  readonly #ports: EphemeralPorts;
  readonly #segment: IncomingSegment;
  readonly #tuple = { localAddress: 0, localPort: 0, remoteAddress: 0, remotePort: 0 };
  #dirty: TcpConnection[] = [];

  constructor(
    output: IpOutput,
    drops: DropLog,
    random: Random,
    config: TcpConfig,
    onWake: () => void,
  ) {
    this.output = output;
    this.drops = drops;
    this.#config = config;
    this.#onWake = onWake;
    this.#table = new ConnectionTable(new TupleHash(random.fork('table')));
    this.#isnHash = new TupleHash(random.fork('isn'));
    this.#timestampHash = new TupleHash(random.fork('timestamps'));
    this.#ports = new EphemeralPorts(this.#table, new TupleHash(random.fork('ports')));
    this.#segment = { tcp: emptyTcp(), bytes: new Uint8Array(0), payloadFrom: 0, payloadTo: 0 };
  }

  /** Every connection, TIME-WAIT included; for `ss`-like listings. */
  sockets(): TcpSocket[] {
    return this.#table.all().map((connection) => new TcpSocket(connection));
  }

  get connectionCount(): number {
    return this.#table.size;
  }

  get hasPending(): boolean {
    return this.#dirty.length > 0;
  }

  pollAt(): number {
    return this.#deadlines.next;
  }

  /** `address` 0 takes connections to every address. Undefined when taken. */
  listen(address: number, port: number, options: ListenOptions): TcpListener | undefined {
    return this.#listeners.listen(address, port, { config: this.#config, ...options });
  }

  connect(
    now: number,
    target: ConnectTarget,
    handler: TcpHandler,
    config: TcpConfig = this.#config,
  ): ConnectOutcome {
    if (this.output.path(target.address) === undefined) return { kind: 'no-route' };
    if (this.#isFull()) return { kind: 'too-many-connections' };
    const tuple = this.#ports.tupleFor(now, target);
    if (typeof tuple === 'string') return { kind: tuple };
    const connection = this.#create(now, tuple, config, false);
    connection.handler = handler;
    connection.state = 'SYN-SENT';
    this.counters.activeOpens += 1;
    this.wake(connection);
    return { kind: 'connecting', socket: new TcpSocket(connection) };
  }

  receive(now: number, packet: ReceivedPacket): void {
    const { header, bytes, payloadFrom, to } = packet;
    if (packet.isToEveryone) {
      this.drops.drop('tcp-to-everyone', bytes);
      return;
    }
    const segment = this.#segment;
    const { tcp } = segment;
    if (decodeTcp(bytes, payloadFrom, to, tcp) !== undefined) {
      this.drops.drop('tcp-malformed', bytes);
      return;
    }
    const field = tcpChecksumAt(bytes, payloadFrom);
    if (!acceptChecksum(packet, field, this.drops, 'tcp-bad-checksum')) return;
    this.counters.inSegs += 1;
    segment.bytes = bytes;
    segment.payloadFrom = payloadFrom + tcp.headerBytes;
    segment.payloadTo = to;
    const tuple = this.#tuple;
    tuple.localAddress = header.destination;
    tuple.localPort = tcp.destinationPort;
    tuple.remoteAddress = header.source;
    tuple.remotePort = tcp.sourcePort;
    const connection = this.#table.find(tuple);
    if (connection === undefined || this.#isReopening(connection))
      this.#receiveUnknown(now, segment, tuple);
    else segmentArrives(connection, segment, now);
  }

  isInFlight(report: IcmpReport): boolean {
    const connection = this.#quoted(report);
    if (connection === undefined) return false;
    const { sndUna, sndMax } = connection;
    return !seqBefore(report.seq, sndUna) && seqBefore(report.seq, sndMax);
  }

  /** RFC 5461: hard only during the handshake. RFC 1191 §6.4: what was too big goes out again at once. */
  report(now: number, report: IcmpReport): void {
    const connection = this.#quoted(report);
    if (connection === undefined) return;
    if (report.kind === 'fragmentation-needed') resendSmaller(connection, now);
    else if (connection.state === 'SYN-SENT') {
      this.counters.attemptFails += 1;
      connection.close(isRefusal(report.code) ? 'refused' : 'host-unreachable');
    }
  }

  /** Nobody answered ARP for `nextHop`. */
  neighbourUnreachable(nextHop: number): void {
    for (const connection of this.#table.all())
      if (connection.state === 'SYN-SENT' && connection.path?.nextHop === nextHop)
        connection.close('host-unreachable');
  }

  /** The stack no longer owns `address`: its connections end without a word on the wire. */
  removeAddress(address: number): void {
    for (const connection of this.#table.all())
      if (connection.localAddress === address) connection.close('address-removed');
  }

  dispatch(now: number): void {
    for (
      let due = this.#deadlines.popDue(now);
      due !== undefined;
      due = this.#deadlines.popDue(now)
    ) {
      runTimers(due, now);
      this.wake(due);
    }
    const unfinished: TcpConnection[] = [];
    // Handlers wake further connections while this runs.
    for (let index = 0; index < this.#dirty.length; index += 1) {
      const connection = this.#dirty[index] as TcpConnection;
      this.#deliver(connection, now);
      connection.isDirty = false;
      if (sendPending(connection, now)) unfinished.push(connection);
      this.#deadlines.schedule(connection, connection.nextDeadline());
    }
    this.#dirty = [];
    for (const connection of unfinished) this.wake(connection);
  }

  wake(connection: TcpConnection): void {
    if (connection.isDirty) return;
    connection.isDirty = true;
    this.#dirty.push(connection);
    if (this.#dirty.length === 1) this.#onWake();
  }

  retired(connection: TcpConnection): void {
    this.#timeWaits.add(connection);
    const oldest = this.#timeWaits.values().next().value;
    if (this.#timeWaits.size > MAX_TIME_WAITS) oldest?.close('closed');
  }

  forget(connection: TcpConnection): void {
    this.#timeWaits.delete(connection);
    this.#table.remove(connection);
    this.#deadlines.remove(connection);
    this.#listeners.handOver(connection);
  }

  #deliver(connection: TcpConnection, now: number): void {
    const { events } = connection;
    connection.events = 0;
    if (events === 0) return;
    if ((events & TcpEvent.connected) !== 0) {
      const listener = this.#listeners.handOver(connection);
      if (listener !== undefined) this.#accept(connection, listener);
      connection.handler.connected?.();
    }
    if ((events & TcpEvent.readable) !== 0) connection.handler.readable?.();
    if ((events & TcpEvent.writable) !== 0) connection.handler.writable?.();
    if ((events & TcpEvent.orphaned) !== 0 && connection.state === 'FIN-WAIT-2')
      connection.lingerAt = now + connection.config.finWait2Ms;
    if ((events & TcpEvent.closed) !== 0) connection.handler.closed?.(connection.closeReason);
  }

  #accept(connection: TcpConnection, listener: Listening): void {
    this.counters.passiveOpens += 1;
    listener.onConnection(new TcpSocket(connection));
  }

  /** RFC 9293 §3.10.7.1 and .2. */
  #receiveUnknown(now: number, segment: IncomingSegment, tuple: FourTuple): void {
    const { flags } = segment.tcp;
    const listener = this.#listeners.find(tuple.localAddress, tuple.localPort);
    const isPlainSyn =
      (flags & (TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin)) === TcpFlag.syn;
    if (listener !== undefined && isPlainSyn) this.#receiveSyn(now, segment, tuple, listener);
    else if (listener !== undefined && (flags & TcpFlag.ack) === 0)
      // Like Linux, a listener answers neither SYN+FIN nor a segment without any of SYN, ACK and RST.
      this.drops.drop('tcp-bad-flags', segment.bytes);
    else {
      this.drops.drop('tcp-no-socket', segment.bytes);
      refuseSegment(this, now, tuple, segment);
    }
  }

  #receiveSyn(now: number, segment: IncomingSegment, tuple: FourTuple, listener: Listening): void {
    if (listener.pending >= listener.backlog) {
      this.drops.drop('tcp-backlog-full', segment.bytes);
      return;
    }
    if (this.#isFull()) {
      this.drops.drop('tcp-connection-limit', segment.bytes);
      return;
    }
    const connection = this.#create(now, tuple, listener.config, true);
    connection.state = 'SYN-RECEIVED';
    this.#listeners.admit(connection, listener);
    agreeOnOptions(connection, segment, now);
    this.wake(connection);
  }

  /** RFC 6191: a SYN that is surely newer than everything in TIME-WAIT opens the pair of sockets again. */
  #isReopening(connection: TcpConnection): boolean {
    const { tcp } = this.#segment;
    const syn = tcp.flags & (TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin);
    if (connection.state !== 'TIME-WAIT' || syn !== TcpFlag.syn) return false;
    const isNewer =
      connection.hasTimestamps && tcp.hasTimestamps
        ? seqBefore(connection.tsRecent, tcp.timestampValue)
        : seqBefore(connection.rcvNxt, tcp.seq);
    if (isNewer) connection.close('closed');
    return isNewer;
  }

  #create(now: number, tuple: FourTuple, config: TcpConfig, isPassive: boolean): TcpConnection {
    const iss = seqAdd(this.#isnHash.of(tuple), Math.floor(now * ISN_PER_MS));
    const timestampOffset = this.#timestampHash.of(tuple);
    const connection = new TcpConnection(
      this,
      config,
      { ...tuple },
      { iss, timestampOffset, isPassive },
    );
    this.#table.add(connection);
    return connection;
  }

  #isFull(): boolean {
    return this.#table.size - this.#timeWaits.size >= MAX_CONNECTIONS;
  }

  #quoted(report: IcmpReport): TcpConnection | undefined {
    if (report.protocol !== IpProtocol.tcp) return undefined;
    return this.#table.find({
      localAddress: report.source,
      localPort: report.sourcePort,
      remoteAddress: report.destination,
      remotePort: report.destinationPort,
    });
  }
}

/** Everything on its way that no longer fits the path is cut up and sent again, at no cost to the window. */
function resendSmaller(connection: TcpConnection, now: number): void {
  const { sent, mssBytes } = connection;
  updateMss(connection, now);
  if (connection.mssBytes >= mssBytes) return;
  for (let index = 0; index < sent.count; index += 1) {
    const record = sent.at(index);
    if (!record.lost) sent.markLost(record);
  }
  connection.sndNxt = connection.sndUna;
  connection.host.wake(connection);
}

function isRefusal(code: number): boolean {
  return code === UnreachableCode.port || code === UnreachableCode.protocol;
}
