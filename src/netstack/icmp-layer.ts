import {
  decodeIcmp,
  emptyIcmp,
  encodeIcmp,
  ICMP_HEADER_BYTES,
  type IcmpHeader,
  IcmpType,
  TimeExceededCode,
  UnreachableCode,
} from '../wire/icmp.ts';
import { decodeQuotedIpv4, emptyIpv4, IpProtocol, type Ipv4Header } from '../wire/ipv4.ts';
import { readUint16, readUint32 } from '../wire/bytes.ts';
import type { DropLog } from './drop-log.ts';
import type { ReceivedPacket } from './ip/ip-input.ts';
import type { IpOutput } from './ip/ip-output.ts';
import { IcmpErrorLimit } from './icmp-error-limit.ts';

/** What a router or host reported about a packet that this stack sent. */
export interface IcmpReport {
  readonly kind: 'unreachable' | 'fragmentation-needed';
  /** RFC 792's code. */
  readonly code: number;
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The first sequence number of a quoted TCP segment. */
  readonly seq: number;
  /** Fragmentation needed: the path MTU now, already lowered in the cache. */
  readonly mtuBytes: number;
}

export interface IcmpHandlers {
  /** Whether the quoted packet is one that the transport has on its way; else the report is not believed. */
  isInFlight(report: IcmpReport): boolean;
  report(now: number, report: IcmpReport): void;
}

/** What an error is about. */
export type QuotedPacket = Pick<
  ReceivedPacket,
  'header' | 'bytes' | 'from' | 'to' | 'isToEveryone'
>;

export interface EchoReply {
  readonly source: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** RFC 1812 §4.3.2.3: as much of the packet as fits 576 bytes. */
const MAX_QUOTE_BYTES = 548;

/** RFC 792 and RFC 1122 §3.2.2: echo both ways, errors in and out. */
export class IcmpLayer {
  readonly #output: IpOutput;
  readonly #drops: DropLog;
  readonly #handlers: IcmpHandlers;
  readonly #header = emptyIcmp();
  readonly #quoted = emptyIpv4();
  readonly #errorLimit = new IcmpErrorLimit();
  readonly #echoes = new Map<number, (reply: EchoReply) => void>();

  constructor(output: IpOutput, drops: DropLog, handlers: IcmpHandlers) {
    this.#output = output;
    this.#drops = drops;
    this.#handlers = handlers;
  }

  /** Replies with this identifier go to `onReply`, until called with undefined. */
  onEchoReply(identifier: number, onReply: ((reply: EchoReply) => void) | undefined): void {
    if (onReply === undefined) this.#echoes.delete(identifier);
    else this.#echoes.set(identifier, onReply);
  }

  /** False without a route. */
  sendEcho(
    now: number,
    echo: { source: number; destination: number; identifier: number; sequence: number },
    payload: Uint8Array,
  ): boolean {
    const { source, destination, identifier, sequence } = echo;
    const header = { type: IcmpType.echoRequest, code: 0, identifier, sequenceOrMtu: sequence };
    return this.#send(now, source, destination, header, payload);
  }

  receive(now: number, packet: ReceivedPacket): void {
    const { bytes, payloadFrom, to } = packet;
    const header = this.#header;
    if (decodeIcmp(bytes, payloadFrom, to, header) !== undefined) {
      this.#drops.drop('icmp-malformed', bytes);
      return;
    }
    const body = payloadFrom + ICMP_HEADER_BYTES;
    if (header.type === IcmpType.echoRequest) this.#answerEcho(now, packet, body);
    else if (header.type === IcmpType.echoReply) this.#receiveEchoReply(packet, body);
    else if (header.type === IcmpType.destinationUnreachable)
      this.#receiveUnreachable(now, packet, body);
    // Time exceeded and the rest are soft (RFC 5461): transports find out by themselves.
    else this.#drops.drop('icmp-unknown-type', bytes);
  }

  /** Tells the sender of `packet` that it cannot be delivered; RFC 1122 §3.2.2 says when not to. */
  sendUnreachable(now: number, packet: QuotedPacket, code: number): void {
    const { header, bytes, from, to, isToEveryone } = packet;
    if (isToEveryone) return;
    const type = IcmpType.destinationUnreachable;
    this.#sendError(now, { type, code, identifier: 0, sequenceOrMtu: 0 }, header, bytes, from, to);
  }

  /** `first` is the packet that held fragment 0. */
  sendReassemblyTimeout(now: number, first: Uint8Array): void {
    const quoted = this.#quoted;
    if (decodeQuotedIpv4(first, 0, first.length, quoted) !== undefined) return;
    const code = TimeExceededCode.reassembly;
    const header = { type: IcmpType.timeExceeded, code, identifier: 0, sequenceOrMtu: 0 };
    this.#sendError(now, header, quoted, first, 0, first.length);
  }

  #answerEcho(now: number, packet: ReceivedPacket, body: number): void {
    const { source, destination } = packet.header;
    const reply = { ...this.#header, type: IcmpType.echoReply };
    this.#send(now, destination, source, reply, packet.bytes.subarray(body, packet.to));
  }

  #receiveEchoReply(packet: ReceivedPacket, body: number): void {
    const onReply = this.#echoes.get(this.#header.identifier);
    if (onReply === undefined) this.#drops.drop('icmp-unknown-type', packet.bytes);
    else
      onReply({
        source: packet.header.source,
        sequence: this.#header.sequenceOrMtu,
        payload: packet.bytes.subarray(body, packet.to),
      });
  }

  #receiveUnreachable(now: number, packet: ReceivedPacket, body: number): void {
    const report = this.#readReport(packet, body);
    if (report === undefined) this.#drops.drop('icmp-malformed', packet.bytes);
    else if (!this.#handlers.isInFlight(report))
      this.#drops.drop('icmp-quote-unknown', packet.bytes);
    else if (report.kind === 'unreachable') this.#handlers.report(now, report);
    else {
      const mtuBytes = this.#output.pathMtus.lower(
        now,
        report.destination,
        report.mtuBytes,
        this.#quoted.totalBytes,
      );
      if (mtuBytes !== undefined) this.#handlers.report(now, { ...report, mtuBytes });
    }
  }

  /** Errors quote the IPv4 header and at least eight bytes behind it. */
  #readReport(packet: ReceivedPacket, body: number): IcmpReport | undefined {
    const { bytes, to } = packet;
    const quoted = this.#quoted;
    if (decodeQuotedIpv4(bytes, body, to, quoted) !== undefined) return undefined;
    const transport = body + quoted.headerBytes;
    if (transport + 8 > to || quoted.fragmentOffset > 0) return undefined;
    const { code, sequenceOrMtu } = this.#header;
    return {
      kind: code === UnreachableCode.fragmentationNeeded ? 'fragmentation-needed' : 'unreachable',
      code,
      protocol: quoted.protocol,
      source: quoted.source,
      destination: quoted.destination,
      sourcePort: readUint16(bytes, transport),
      destinationPort: readUint16(bytes, transport + 2),
      seq: readUint32(bytes, transport + 4),
      mtuBytes: sequenceOrMtu,
    };
  }

  #sendError(
    now: number,
    error: IcmpHeader,
    about: Ipv4Header,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    if (about.fragmentOffset > 0 || isIcmpError(about, bytes, from)) return;
    if (!this.#errorLimit.take(now, about.source)) {
      this.#drops.drop('icmp-rate-limited', bytes);
      return;
    }
    const quote = bytes.subarray(from, Math.min(to, from + MAX_QUOTE_BYTES));
    this.#send(now, about.destination, about.source, error, quote);
  }

  #send(
    now: number,
    source: number,
    destination: number,
    header: IcmpHeader,
    body: Uint8Array,
  ): boolean {
    const path = this.#output.path(destination);
    if (path === undefined) {
      this.#drops.drop('no-route');
      return false;
    }
    const packet = this.#output.allocate(path.netInterface, ICMP_HEADER_BYTES + body.length);
    const at = this.#output.transportAt(path.netInterface);
    packet.set(body, at + ICMP_HEADER_BYTES);
    encodeIcmp(packet, at, packet.length, header);
    this.#output.send(now, path, packet, {
      source,
      destination,
      protocol: IpProtocol.icmp,
      dontFragment: false,
      trafficClass: 0,
    });
    return true;
  }
}

function isIcmpError(header: Ipv4Header, bytes: Uint8Array, from: number): boolean {
  if (header.protocol !== IpProtocol.icmp) return false;
  const type = bytes[from + header.headerBytes];
  return type !== IcmpType.echoRequest && type !== IcmpType.echoReply;
}
