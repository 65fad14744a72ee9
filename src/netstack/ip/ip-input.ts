import { ArpOperation, decodeArp, emptyArp } from '../../wire/arp.ts';
import {
  decodeEthernet,
  emptyEthernet,
  ETHERNET_HEADER_BYTES,
  EtherType,
} from '../../wire/ethernet.ts';
import { decodeIpv4, emptyIpv4, IpProtocol, type Ipv4Header } from '../../wire/ipv4.ts';
import { BROADCAST_MAC } from '../../wire/mac.ts';
import type { DropLog } from '../drop-log.ts';
import type { IpOutput } from './ip-output.ts';
import type { NetInterface } from './net-interface.ts';
import { Reassembly } from './reassembly.ts';

/** A received IPv4 packet. One record is reused: whoever keeps something copies it. */
export interface ReceivedPacket {
  netInterface: NetInterface;
  readonly header: Ipv4Header;
  bytes: Uint8Array;
  /** Where the IPv4 header, its payload, and what follows the packet start. */
  from: number;
  payloadFrom: number;
  to: number;
  /** The frame was broadcast: nothing answers it with an error or a reset (RFC 1122 §3.2.2, as Linux). */
  isToEveryone: boolean;
}

/** The protocols above, and what they are told. */
export interface IpHandlers {
  tcp(now: number, packet: ReceivedPacket): void;
  udp(now: number, packet: ReceivedPacket): void;
  icmp(now: number, packet: ReceivedPacket): void;
  /** A protocol nobody speaks. */
  other(now: number, packet: ReceivedPacket): void;
  /** The first fragment of a datagram that never became whole. */
  reassemblyTimeout(now: number, first: Uint8Array): void;
}

/** From a frame to a transport: Ethernet filter, ARP, IPv4 checks, reassembly. */
export class IpInput {
  readonly reassembly: Reassembly;
  readonly #addresses: ReadonlySet<number>;
  readonly #output: IpOutput;
  readonly #handlers: IpHandlers;
  readonly #drops: DropLog;
  readonly #ethernet = emptyEthernet();
  readonly #arp = emptyArp();
  readonly #packet: ReceivedPacket;
  #now = 0;

  constructor(
    addresses: ReadonlySet<number>,
    output: IpOutput,
    handlers: IpHandlers,
    drops: DropLog,
  ) {
    this.#addresses = addresses;
    this.#output = output;
    this.#handlers = handlers;
    this.#drops = drops;
    this.reassembly = new Reassembly(drops, (first) =>
      handlers.reassemblyTimeout(this.#now, first),
    );
    const bytes = new Uint8Array(0);
    const netInterface = output.loopback;
    this.#packet = {
      netInterface,
      header: emptyIpv4(),
      bytes,
      from: 0,
      payloadFrom: 0,
      to: 0,
      isToEveryone: false,
    };
  }

  /** Runs timers. */
  expire(now: number): void {
    this.#now = now;
    this.reassembly.expire(now);
  }

  /** Takes the frame `bytes[from, to)`. */
  receive(
    now: number,
    netInterface: NetInterface,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const { counters } = netInterface;
    counters.receivedPackets += 1;
    counters.receivedBytes += to - from;
    if (netInterface.kind === 'loopback') {
      this.#packet.isToEveryone = false;
      this.#receiveIpv4(now, netInterface, bytes, from + ETHERNET_HEADER_BYTES, to);
      return;
    }
    const ethernet = this.#ethernet;
    if (decodeEthernet(bytes, from, to, ethernet) !== undefined) {
      this.#drops.drop('ethernet-truncated', bytes);
      return;
    }
    this.#packet.isToEveryone = ethernet.destination === BROADCAST_MAC;
    if (ethernet.destination !== netInterface.mac && !this.#packet.isToEveryone)
      this.#drops.drop('ethernet-other-host', bytes);
    else if (ethernet.type === EtherType.ipv4)
      this.#receiveIpv4(now, netInterface, bytes, from + ETHERNET_HEADER_BYTES, to);
    else if (ethernet.type === EtherType.arp)
      this.#receiveArp(now, netInterface, bytes, from + ETHERNET_HEADER_BYTES, to);
    else this.#drops.drop('ethernet-unknown-type', bytes);
  }

  /** RFC 826's algorithm; like Linux, any interface answers for any of the stack's addresses. */
  #receiveArp(
    now: number,
    netInterface: NetInterface,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const arp = this.#arp;
    if (decodeArp(bytes, from, to, arp) !== undefined) {
      this.#drops.drop('arp-malformed', bytes);
      return;
    }
    const isForUs = this.#addresses.has(arp.targetIp);
    if (arp.senderIp !== 0 && !this.#addresses.has(arp.senderIp))
      this.#output.neighbours.learn(now, netInterface, arp.senderIp, arp.senderMac, isForUs);
    if (!isForUs || arp.operation !== ArpOperation.request) return;
    this.#output.sendArp(netInterface, arp.senderMac, {
      operation: ArpOperation.reply,
      senderMac: netInterface.mac,
      senderIp: arp.targetIp,
      targetMac: arp.senderMac,
      targetIp: arp.senderIp,
    });
  }

  #receiveIpv4(
    now: number,
    netInterface: NetInterface,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const packet = this.#packet;
    const { header } = packet;
    const error = decodeIpv4(bytes, from, to, header);
    if (error !== undefined) this.#drops.drop(`ipv4-${error}`, bytes);
    else if (!this.#addresses.has(header.destination)) this.#drops.drop('ipv4-not-local', bytes);
    else if (!this.#isSourceValid(netInterface, header.source))
      this.#drops.drop('ipv4-bad-source', bytes);
    else {
      if (header.totalBytes > netInterface.mtuBytes) netInterface.counters.oversized += 1;
      packet.netInterface = netInterface;
      if (header.moreFragments || header.fragmentOffset > 0)
        this.#receiveFragment(now, bytes, from, from + header.totalBytes);
      else this.#deliver(now, bytes, from, from + header.totalBytes);
    }
  }

  /** Neither this host, nor a group, nor (from outside) an address of ours. */
  #isSourceValid(netInterface: NetInterface, source: number): boolean {
    if (source === 0 || source >>> 28 >= 14) return false;
    return netInterface.kind === 'loopback' || !this.#addresses.has(source);
  }

  #receiveFragment(now: number, bytes: Uint8Array, from: number, to: number): void {
    const { header } = this.#packet;
    const whole = this.reassembly.add(now, header, bytes, from, to);
    if (whole !== undefined && decodeIpv4(whole, 0, whole.length, header) === undefined)
      this.#deliver(now, whole, 0, whole.length);
  }

  #deliver(now: number, bytes: Uint8Array, from: number, to: number): void {
    const packet = this.#packet;
    packet.bytes = bytes;
    packet.from = from;
    packet.payloadFrom = from + packet.header.headerBytes;
    packet.to = to;
    if (packet.header.protocol === IpProtocol.tcp) this.#handlers.tcp(now, packet);
    else if (packet.header.protocol === IpProtocol.udp) this.#handlers.udp(now, packet);
    else if (packet.header.protocol === IpProtocol.icmp) this.#handlers.icmp(now, packet);
    else this.#handlers.other(now, packet);
  }
}
