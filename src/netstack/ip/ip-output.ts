import type { Random } from '../../base/random.ts';
import { ArpOperation, ARP_BYTES, type ArpPacket, encodeArp } from '../../wire/arp.ts';
import { ETHERNET_HEADER_BYTES, encodeEthernet, EtherType } from '../../wire/ethernet.ts';
import { emptyIpv4, encodeIpv4, IPV4_HEADER_BYTES } from '../../wire/ipv4.ts';
import { BROADCAST_MAC, type MacAddress } from '../../wire/mac.ts';
import type { DropLog, DropReason } from '../drop-log.ts';
import { PacketPool } from '../packet-pool.ts';
import { Fib } from './fib.ts';
import { NeighbourCache } from './neighbour-cache.ts';
import { createLoopback, type NetInterface } from './net-interface.ts';
import { PathMtuCache } from './path-mtu-cache.ts';

/** Takes a finished packet: `headroomBytes` of its interface, then the Ethernet header. Owns it from then on. */
export type Emit = (netInterface: NetInterface, packet: Uint8Array) => void;

/** The way to a destination, valid as long as `generation` is the FIB's. */
export interface Path {
  readonly netInterface: NetInterface;
  readonly nextHop: number;
  readonly generation: number;
}

/** What a transport decides about its IPv4 header. */
export interface IpFields {
  source: number;
  destination: number;
  protocol: number;
  dontFragment: boolean;
  trafficClass: number;
}

/** Packets made outside of dispatch wait here for the next one: replies to what came in. */
const MAX_OUTBOX = 1024;
const MAX_LOOPED = 4096;
const DEFAULT_TTL = 64;

/** From a transport's payload to a frame on a link: route, neighbour, headers, fragments. */
export class IpOutput {
  readonly fib: Fib = new Fib();
  readonly neighbours: NeighbourCache;
  readonly pathMtus: PathMtuCache = new PathMtuCache();
  readonly loopback: NetInterface = createLoopback();
  readonly #addresses: ReadonlySet<number>;
  readonly #drops: DropLog;
  readonly #pool = new PacketPool();
  readonly #header = emptyIpv4();
  readonly #ethernet = { destination: 0, source: 0, type: EtherType.ipv4 as number };
  readonly #outbox: { readonly netInterface: NetInterface; readonly packet: Uint8Array }[] = [];
  #looped: Uint8Array[] = [];
  #emit: Emit | undefined;
  #identification: number;

  constructor(
    addresses: ReadonlySet<number>,
    drops: DropLog,
    random: Random,
    onUnreachable: (address: number) => void,
  ) {
    this.#addresses = addresses;
    this.#drops = drops;
    this.#identification = random.below(0x1_0000);
    this.neighbours = new NeighbourCache({
      solicit: (netInterface, address, mac) => this.#solicit(netInterface, address, mac),
      release: (netInterface, packet, mac) => this.#frame(netInterface, packet, mac),
      discard: (netInterface, packet, reason) => this.#discard(netInterface, packet, reason),
      unreachable: onUnreachable,
    });
  }

  /** Something waits for the next dispatch. */
  get hasPending(): boolean {
    return this.#outbox.length > 0 || this.#looped.length > 0;
  }

  /** During a dispatch packets go straight to `emit`; between them they wait. */
  beginDispatch(emit: Emit): void {
    this.#emit = emit;
    for (const { netInterface, packet } of this.#outbox) emit(netInterface, packet);
    this.#outbox.length = 0;
  }

  endDispatch(): void {
    this.#emit = undefined;
  }

  /** Takes what was sent to the stack's own addresses, to be put in again. */
  takeLooped(): Uint8Array[] {
    const looped = this.#looped;
    if (looped.length > 0) this.#looped = [];
    return looped;
  }

  path(destination: number): Path | undefined {
    const { generation } = this.fib;
    if (this.#addresses.has(destination))
      return { netInterface: this.loopback, nextHop: destination, generation };
    const route = this.fib.lookup(destination);
    if (route === undefined) return undefined;
    return { netInterface: route.netInterface, nextHop: route.gateway ?? destination, generation };
  }

  /** The largest IPv4 packet for this path. */
  mtuOf(now: number, path: Path, destination: number): number {
    return Math.min(path.netInterface.mtuBytes, this.pathMtus.get(now, destination));
  }

  /** Where a transport's header starts in a packet from {@link allocate}. */
  transportAt(netInterface: NetInterface): number {
    return netInterface.headroomBytes + ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
  }

  /** Room for headroom, Ethernet, IPv4 and `transportBytes`, the latter to be filled by the caller. */
  allocate(netInterface: NetInterface, transportBytes: number): Uint8Array {
    const { headroomBytes } = netInterface;
    return this.#pool.allocate(
      headroomBytes + ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + transportBytes,
      headroomBytes,
    );
  }

  /** Takes back what {@link Emit} got, at most once, when nobody needs it any more. Not giving back does no harm. */
  release(packet: Uint8Array): void {
    this.#pool.release(packet);
  }

  /** Finishes a packet from {@link allocate} and sends it, in fragments if it must and may be. */
  send(now: number, path: Path, packet: Uint8Array, fields: IpFields): void {
    const at = path.netInterface.headroomBytes + ETHERNET_HEADER_BYTES;
    const header = this.#header;
    header.source = fields.source;
    header.destination = fields.destination;
    header.protocol = fields.protocol;
    header.dontFragment = fields.dontFragment;
    header.trafficClass = fields.trafficClass;
    header.ttl = DEFAULT_TTL;
    header.identification = this.#identification;
    header.moreFragments = false;
    header.fragmentOffset = 0;
    header.totalBytes = packet.length - at;
    this.#identification = (this.#identification + 1) & 0xffff;
    const mtuBytes = fields.dontFragment
      ? path.netInterface.mtuBytes
      : this.mtuOf(now, path, fields.destination);
    if (header.totalBytes > mtuBytes && !fields.dontFragment) {
      this.#fragment(now, path, packet, mtuBytes);
      return;
    }
    encodeIpv4(packet, at, header);
    if (header.totalBytes > mtuBytes) this.#discard(path.netInterface, packet, 'ipv4-too-big');
    else this.#resolve(now, path, packet);
  }

  /** Sends an ARP packet at once: to `destination`'s MAC. */
  sendArp(netInterface: NetInterface, destination: MacAddress, arp: ArpPacket): void {
    const { headroomBytes } = netInterface;
    const at = headroomBytes + ETHERNET_HEADER_BYTES;
    const packet = this.#pool.allocate(at + ARP_BYTES, headroomBytes);
    encodeArp(packet, at, arp);
    const ethernet = { destination, source: netInterface.mac, type: EtherType.arp };
    encodeEthernet(packet, headroomBytes, ethernet);
    this.#transmit(netInterface, packet);
  }

  #fragment(now: number, path: Path, packet: Uint8Array, mtuBytes: number): void {
    const header = this.#header;
    const from = this.transportAt(path.netInterface);
    const chunkBytes = (mtuBytes - IPV4_HEADER_BYTES) & ~7;
    const payloadBytes = packet.length - from;
    for (let offset = 0; offset < payloadBytes; offset += chunkBytes) {
      const length = Math.min(chunkBytes, payloadBytes - offset);
      const fragment = this.allocate(path.netInterface, length);
      fragment.set(packet.subarray(from + offset, from + offset + length), from);
      header.fragmentOffset = offset;
      header.moreFragments = offset + length < payloadBytes;
      header.totalBytes = IPV4_HEADER_BYTES + length;
      encodeIpv4(fragment, from - IPV4_HEADER_BYTES, header);
      this.#resolve(now, path, fragment);
    }
  }

  #resolve(now: number, path: Path, packet: Uint8Array): void {
    const { netInterface, nextHop } = path;
    if (netInterface.kind === 'loopback') {
      if (this.#looped.length >= MAX_LOOPED)
        this.#drops.drop('output-queue-full', packet, netInterface);
      else this.#looped.push(packet);
      return;
    }
    const mac = this.neighbours.resolve(now, netInterface, nextHop, packet);
    if (mac !== undefined) this.#frame(netInterface, packet, mac);
  }

  #frame(netInterface: NetInterface, packet: Uint8Array, destination: MacAddress): void {
    this.#encodeEthernet(netInterface, packet, destination);
    this.#transmit(netInterface, packet);
  }

  /** A packet that gets no further than here; its destination's MAC is not known. */
  #discard(netInterface: NetInterface, packet: Uint8Array, reason: DropReason): void {
    this.#encodeEthernet(netInterface, packet, 0);
    this.#drops.drop(reason, packet, netInterface);
  }

  #encodeEthernet(netInterface: NetInterface, packet: Uint8Array, destination: MacAddress): void {
    const ethernet = this.#ethernet;
    ethernet.destination = destination;
    ethernet.source = netInterface.mac;
    encodeEthernet(packet, netInterface.headroomBytes, ethernet);
  }

  #transmit(netInterface: NetInterface, packet: Uint8Array): void {
    if (this.#emit === undefined && this.#outbox.length >= MAX_OUTBOX) {
      this.#drops.drop('output-queue-full', packet, netInterface);
      return;
    }
    netInterface.counters.sentPackets += 1;
    netInterface.counters.sentBytes += packet.length - netInterface.headroomBytes;
    if (this.#emit === undefined) this.#outbox.push({ netInterface, packet });
    else this.#emit(netInterface, packet);
  }

  #solicit(netInterface: NetInterface, address: number, mac: MacAddress | undefined): void {
    this.sendArp(netInterface, mac ?? BROADCAST_MAC, {
      operation: ArpOperation.request,
      senderMac: netInterface.mac,
      senderIp: this.#addresses.values().next().value ?? 0,
      targetMac: 0,
      targetIp: address,
    });
  }
}
