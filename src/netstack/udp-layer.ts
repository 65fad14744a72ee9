import {
  emptyIpv4,
  encodeIpv4,
  IPV4_HEADER_BYTES,
  IPV4_MAX_BYTES,
  IpProtocol,
} from '../wire/ipv4.ts';
import { UnreachableCode } from '../wire/icmp.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { decodeUdp, emptyUdp, encodeUdp, UDP_HEADER_BYTES } from '../wire/udp.ts';
import type { DropLog } from './drop-log.ts';
import type { IcmpReport, QuotedPacket } from './icmp-layer.ts';
import type { ReceivedPacket } from './ip/ip-input.ts';
import type { IpOutput } from './ip/ip-output.ts';
import { acceptChecksum } from './ip/transport-checksum.ts';

export interface Datagram {
  readonly payload: Uint8Array;
  readonly localAddress: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
}

/** Called while the stack takes a packet in: may send, must not put a packet in. */
export interface UdpHandler {
  datagram(datagram: Datagram): void;
  /** An ICMP error about something this socket sent. */
  unreachable?(report: IcmpReport): void;
}

/** Tells the sender of a packet that it cannot be delivered, with RFC 792's code. */
type ReportUnreachable = (now: number, packet: QuotedPacket, code: number) => void;

export type UdpSendOutcome = 'sent' | 'no-route' | 'too-big' | 'closed';

export interface UdpSocket {
  readonly localPort: number;
  /** Sends from `source`, which defaults to the bound address. Fragments what is above the path's MTU. */
  send(
    now: number,
    to: { readonly address: number; readonly port: number; readonly source?: number },
    payload: Uint8Array,
  ): UdpSendOutcome;
  /** Tells the sender of a datagram to this socket that nobody takes it: ICMP port unreachable, RFC 1122 §4.1.3.1. */
  refuse(now: number, from: { readonly address: number; readonly port: number }): void;
  close(): void;
}

/** Linux: net.ipv4.ip_local_port_range. */
const EPHEMERAL = { first: 32_768, count: 28_232 } as const;
const ANY = 0;

/** RFC 768 sockets: bound to one of the stack's addresses or to all of them. */
export class UdpLayer {
  readonly #output: IpOutput;
  readonly #drops: DropLog;
  readonly #unreachable: ReportUnreachable;
  readonly #header = emptyUdp();
  readonly #bound = new Map<number, UdpHandler>();
  #nextEphemeral = 0;

  constructor(output: IpOutput, drops: DropLog, unreachable: ReportUnreachable) {
    this.#output = output;
    this.#drops = drops;
    this.#unreachable = unreachable;
  }

  /** `address` 0 is every address, `port` 0 any free one. Undefined when taken. */
  bind(local: { address: number; port: number }, handler: UdpHandler): UdpSocket | undefined {
    const port = local.port === 0 ? this.#freePort(local.address) : local.port;
    const key = keyOf(local.address, port ?? 0);
    if (port === undefined || this.#bound.has(key)) return undefined;
    this.#bound.set(key, handler);
    return {
      localPort: port,
      send: (now, to, payload) => {
        if (this.#bound.get(key) !== handler) return 'closed';
        const source = to.source ?? local.address;
        return this.#send(now, { source, sourcePort: port, ...to }, payload);
      },
      refuse: (now, from) => this.#refuse(now, { address: local.address, port }, from),
      close: () => {
        if (this.#bound.get(key) === handler) this.#bound.delete(key);
      },
    };
  }

  receive(now: number, packet: ReceivedPacket): void {
    const { bytes, payloadFrom, to, header } = packet;
    const udp = this.#header;
    if (decodeUdp(bytes, payloadFrom, to, udp) !== undefined) {
      this.#drops.drop('udp-malformed', bytes);
      return;
    }
    packet.to = payloadFrom + udp.lengthBytes;
    if (
      udp.checksum !== 0 &&
      !acceptChecksum(packet, udp.checksum, this.#drops, 'udp-bad-checksum')
    )
      return;
    const handler = this.#find(header.destination, udp.destinationPort);
    if (handler === undefined) {
      this.#drops.drop('udp-no-socket', bytes);
      this.#unreachable(now, packet, UnreachableCode.port);
      return;
    }
    handler.datagram({
      payload: bytes.subarray(payloadFrom + UDP_HEADER_BYTES, packet.to),
      localAddress: header.destination,
      remoteAddress: header.source,
      remotePort: udp.sourcePort,
    });
  }

  isInFlight(report: IcmpReport): boolean {
    return this.#find(report.source, report.sourcePort) !== undefined;
  }

  report(report: IcmpReport): void {
    this.#find(report.source, report.sourcePort)?.unreachable?.(report);
  }

  /** Quotes as much of the datagram as an error must have: its headers. */
  #refuse(
    now: number,
    local: { readonly address: number; readonly port: number },
    from: { readonly address: number; readonly port: number },
  ): void {
    const bytes = new Uint8Array(IPV4_HEADER_BYTES + UDP_HEADER_BYTES);
    const header = {
      ...emptyIpv4(),
      source: from.address,
      destination: local.address,
      protocol: IpProtocol.udp,
      headerBytes: IPV4_HEADER_BYTES,
      totalBytes: bytes.length,
    };
    encodeIpv4(bytes, 0, header);
    const lengthBytes = UDP_HEADER_BYTES;
    const ports = { sourcePort: from.port, destinationPort: local.port };
    const { source, destination, protocol } = header;
    const pseudoSum = pseudoHeaderSum(source, destination, protocol, lengthBytes);
    encodeUdp(bytes, IPV4_HEADER_BYTES, { ...ports, lengthBytes, checksum: 0 }, pseudoSum);
    const quoted = { header, bytes, from: 0, to: bytes.length, isToEveryone: false };
    this.#unreachable(now, quoted, UnreachableCode.port);
  }

  #find(address: number, port: number): UdpHandler | undefined {
    return this.#bound.get(keyOf(address, port)) ?? this.#bound.get(keyOf(ANY, port));
  }

  #freePort(address: number): number | undefined {
    for (let tried = 0; tried < EPHEMERAL.count; tried += 1) {
      const port = EPHEMERAL.first + this.#nextEphemeral;
      this.#nextEphemeral = (this.#nextEphemeral + 1) % EPHEMERAL.count;
      if (!this.#bound.has(keyOf(address, port))) return port;
    }
    return undefined;
  }

  #send(
    now: number,
    flow: { source: number; sourcePort: number; address: number; port: number },
    payload: Uint8Array,
  ): UdpSendOutcome {
    const lengthBytes = UDP_HEADER_BYTES + payload.length;
    if (lengthBytes > IPV4_MAX_BYTES - IPV4_HEADER_BYTES) return 'too-big';
    const path = this.#output.path(flow.address);
    if (path === undefined) return 'no-route';
    const packet = this.#output.allocate(path.netInterface, lengthBytes);
    const at = this.#output.transportAt(path.netInterface);
    packet.set(payload, at + UDP_HEADER_BYTES);
    const { source, address: destination } = flow;
    const header = {
      sourcePort: flow.sourcePort,
      destinationPort: flow.port,
      lengthBytes,
      checksum: 0,
    };
    const pseudoSum = pseudoHeaderSum(source, destination, IpProtocol.udp, lengthBytes);
    encodeUdp(packet, at, header, pseudoSum);
    this.#output.send(now, path, packet, {
      source,
      destination,
      protocol: IpProtocol.udp,
      dontFragment: false,
      trafficClass: 0,
    });
    return 'sent';
  }
}

function keyOf(address: number, port: number): number {
  return address * 0x1_0000 + port;
}
