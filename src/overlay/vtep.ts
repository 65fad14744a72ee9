import { formatIp, type IpAddress, parseIp } from '../base/ip.ts';
import type { Resource } from '../base/lifetime.ts';
import type { Clock } from '../base/clock.ts';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.ts';
import { type MacAddress, readMac } from '../wire/mac.ts';
import { decodeVxlan, encodeVxlan, VXLAN_HEADER_BYTES, type VxlanHeader } from '../wire/vxlan.ts';
import type { DropReason } from '../netstack/drop-log.ts';
import type { DatagramPort, OpenDatagramPort } from './datagram-port.ts';
import type { LinkLossReason } from './link-faults.ts';
import { LearnedMacs } from './learned-macs.ts';
import { type DropPlace, VtepDrops, type VtepDropReason } from './vtep-drops.ts';
import { type PeerCounters, VtepPeer } from './vtep-peer.ts';

/** Counts a frame that a fault took. */
export type DropLinked = (reason: LinkLossReason, datagram: Uint8Array) => void;

/** What may stand between a VTEP and the network: faults. Calls `pass` now, later, several times, or `drop`. */
export interface LinkHook {
  outbound(
    peer: string,
    datagram: Uint8Array,
    pass: (datagram: Uint8Array) => void,
    drop: DropLinked,
  ): void;
  inbound(
    peer: string,
    datagram: Uint8Array,
    pass: (datagram: Uint8Array) => void,
    drop: DropLinked,
  ): void;
}

/** Sees what a VTEP sends and receives, from the VXLAN header on, and what it drops. */
export interface VtepTap {
  sent(peer: IpAddress, datagram: Uint8Array): void;
  /** `dropped`: why whoever got the frame threw it away. */
  received(peer: IpAddress, datagram: Uint8Array, dropped: string | undefined): void;
  /** Neither sent nor received. */
  dropped(reason: VtepDropReason, datagram: Uint8Array, place: DropPlace): void;
  /** Of the stack before the VTEP, with room for the VXLAN header; the destination's MAC may be missing. */
  unsent(reason: DropReason, packet: Uint8Array): void;
}

export interface VtepOptions {
  /** The node's own; outer source of what is sent, too. */
  readonly address: IpAddress;
  /** Of every VTEP of the network. 0 lets the system choose, for tests. */
  readonly port: number;
  readonly vni: number;
  readonly clock: Clock;
  /** How UDP is sent and received. */
  readonly openUdp: OpenDatagramPort;
  /**
   * Takes an inner frame, `bytes[from, to)`, Ethernet header first; returns why it was dropped, if it was. Called for
   * each of many datagrams in one turn of the event loop: do the rest in a {@link Clock.defer}.
   */
  readonly onFrame: (bytes: Uint8Array, from: number, to: number) => string | undefined;
  /**
   * Gives back a packet of {@link Vtep.send} that nobody needs any more, once; the others are the collector's.
   */
  readonly onSent?: (packet: Uint8Array) => void;
  /** Also send to MACs that were seen as sources. Default false. */
  readonly learning?: boolean;
  /** Drop what comes from addresses that are no VTEP of the FDB, which a kernel does not do. Default false. */
  readonly checkPeers?: boolean;
  /** Of the receiving socket; what was got is in {@link Vtep.receiveBufferBytes}. Default 4 MiB. */
  readonly receiveBufferBytes?: number;
}

/** The system's default holds 92 full packets or 3 jumbo ones. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * A VXLAN tunnel end point, RFC 7348, that a Linux vxlan device takes for one of its kind. Owns one receiving socket
 * and one connected sending socket a peer. Answers never go to a datagram's source port, only to the VXLAN port.
 */
export class Vtep implements Resource {
  readonly address: IpAddress;
  readonly vni: number;
  readonly #options: VtepOptions;
  readonly #udp: DatagramPort;
  readonly #drops: VtepDrops;
  readonly #peers = new Map<string, VtepPeer>();
  /** Peers that no entry names any more, until their sockets are gone. */
  readonly #closing = new Set<Promise<void>>();
  readonly #learned: LearnedMacs | undefined;
  readonly #header: VxlanHeader = { vni: 0 };
  #fdb: ReadonlyMap<MacAddress, VtepPeer> = new Map();
  #hook: LinkHook | undefined;
  /** Replaced, never changed, when one comes or goes. */
  #taps: readonly VtepTap[] = [];
  #ended: Promise<void> | undefined;

  private constructor(options: VtepOptions, udp: DatagramPort) {
    this.address = options.address;
    this.vni = options.vni;
    this.#options = options;
    this.#udp = udp;
    this.#drops = new VtepDrops((reason, datagram, place) => {
      for (const tap of this.#taps) tap.dropped(reason, datagram, place);
    });
    if (options.learning === true) this.#learned = new LearnedMacs(options.clock);
  }

  /** Rejects with the system's error where the address and port cannot be had. */
  static async open(options: VtepOptions): Promise<Vtep> {
    const { address, port, openUdp, receiveBufferBytes = RECEIVE_BUFFER_BYTES } = options;
    const udp = await openUdp({
      address,
      port,
      receiveBufferBytes,
      onDatagram: (datagram, from) => vtep.#onDatagram(datagram, from),
    });
    const vtep = new Vtep(options, udp);
    return vtep;
  }

  get port(): number {
    return this.#udp.port;
  }

  /** What the system granted, twice what is usable of it; Linux caps it at net.core.rmem_max. */
  get receiveBufferBytes(): number {
    return this.#udp.receiveBufferBytes;
  }

  /** Errors that the receiving socket reported; it goes on after them. */
  get receiveErrors(): number {
    return this.#udp.receiveErrors;
  }

  drops(): ReadonlyMap<VtepDropReason, number> {
    return this.#drops.counts();
  }

  /** Frames among {@link drops} that were to be sent: what a kernel counts at its device. */
  get sentDropped(): number {
    return this.#drops.outbound;
  }

  /** By peer address. */
  counters(): ReadonlyMap<string, Readonly<PeerCounters>> {
    return new Map(Array.from(this.#peers, ([address, peer]) => [address, peer.counters]));
  }

  /** Faults from now on; undefined for none. */
  setHook(hook: LinkHook | undefined): void {
    this.#hook = hook;
  }

  /** Shows everything to `tap` until the returned function is called. */
  addTap(tap: VtepTap): () => void {
    this.#taps = [...this.#taps, tap];
    return () => {
      this.#taps = this.#taps.filter((other) => other !== tap);
    };
  }

  /** Which MAC is behind which VTEP, completely. Peers that no entry names are closed. */
  setFdb(entries: Iterable<{ readonly mac: MacAddress; readonly destination: IpAddress }>): void {
    const fdb = new Map<MacAddress, VtepPeer>();
    const kept = new Set<string>();
    for (const { mac, destination } of entries) {
      const key = formatIp(destination);
      fdb.set(mac, this.#peerAt(key, destination));
      kept.add(key);
    }
    this.#fdb = fdb;
    this.#learned?.clear();
    for (const [key, peer] of this.#peers) {
      if (kept.has(key)) continue;
      this.#peers.delete(key);
      this.#retire(peer);
    }
  }

  /**
   * Sends a frame to the VTEP of its destination MAC. `packet` has {@link VXLAN_HEADER_BYTES} of room before the
   * Ethernet header, and belongs to the VTEP from now on.
   */
  send(packet: Uint8Array): void {
    const mac = readMac(packet, VXLAN_HEADER_BYTES);
    const peer = this.#fdb.get(mac) ?? this.#learnedPeer(mac);
    if (peer === undefined) {
      this.#drops.drop('no-fdb-entry', packet, { direction: 'outbound', peer: undefined });
      return;
    }
    this.#header.vni = this.vni;
    encodeVxlan(packet, 0, this.#header);
    if (this.#hook === undefined) {
      // A tap may keep it, a hook may send it twice.
      this.#transmit(peer, packet, this.#taps.length === 0 ? this.#options.onSent : undefined);
    } else
      this.#hook.outbound(
        formatIp(peer.address),
        packet,
        (passed) => this.#transmit(peer, passed),
        (reason, lost) =>
          this.#drops.drop(reason, lost, { direction: 'outbound', peer: peer.address }),
      );
  }

  /** Shows the taps what the stack dropped instead of sending it here. */
  showUnsent(reason: DropReason, packet: Uint8Array): void {
    for (const tap of this.#taps) tap.unsent(reason, packet);
  }

  /** Nothing is in progress that could be drained: the same as ending now. */
  close(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(): Promise<void> {
    for (const peer of this.#peers.values()) this.#retire(peer);
    this.#peers.clear();
    this.#fdb = new Map();
    await Promise.all([...this.#closing, this.#udp.close()]);
  }

  #transmit(peer: VtepPeer, datagram: Uint8Array, onSent?: VtepOptions['onSent']): void {
    if (!peer.send(datagram, onSent)) return;
    for (const tap of this.#taps) tap.sent(peer.address, datagram);
  }

  #retire(peer: VtepPeer): void {
    const closing = peer.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #onDatagram(datagram: Uint8Array, from: string): void {
    if (this.#hook === undefined) this.#receive(datagram, from);
    else
      this.#hook.inbound(
        from,
        datagram,
        (passed) => this.#receive(passed, from),
        (reason, lost) => this.#dropReceived(reason, lost, from),
      );
  }

  #receive(datagram: Uint8Array, from: string): void {
    if (this.#ended !== undefined) return;
    const peer = this.#peers.get(from);
    const reason = this.#refusal(datagram, peer);
    if (reason !== undefined) {
      this.#dropReceived(reason, datagram, from);
      return;
    }
    if (peer !== undefined) {
      peer.counters.receivedFrames += 1;
      peer.counters.receivedBytes += datagram.length;
    }
    if (this.#learned !== undefined) this.#learn(datagram, from);
    const dropped = this.#options.onFrame(datagram, VXLAN_HEADER_BYTES, datagram.length);
    if (this.#taps.length > 0) this.#show(datagram, from, dropped);
  }

  #dropReceived(reason: VtepDropReason, datagram: Uint8Array, from: string): void {
    this.#drops.drop(reason, datagram, { direction: 'inbound', peer: parseIp(from) });
  }

  #refusal(datagram: Uint8Array, peer: VtepPeer | undefined): VtepDropReason | undefined {
    if (peer === undefined && this.#options.checkPeers === true) return 'unknown-peer';
    const error = decodeVxlan(datagram, 0, datagram.length, this.#header);
    if (error !== undefined) return `vxlan-${error}`;
    if (this.#header.vni !== this.vni) return 'vni-mismatch';
    return datagram.length < VXLAN_HEADER_BYTES + ETHERNET_HEADER_BYTES
      ? 'inner-truncated'
      : undefined;
  }

  #show(datagram: Uint8Array, from: string, dropped: string | undefined): void {
    const address = parseIp(from);
    if (address === undefined) return;
    for (const tap of this.#taps) tap.received(address, datagram, dropped);
  }

  #learn(datagram: Uint8Array, from: string): void {
    const address = parseIp(from);
    if (address !== undefined)
      this.#learned?.learn(readMac(datagram, VXLAN_HEADER_BYTES + 6), address);
  }

  #learnedPeer(mac: MacAddress): VtepPeer | undefined {
    const address = this.#learned?.lookup(mac);
    return address === undefined ? undefined : this.#peerAt(formatIp(address), address);
  }

  #peerAt(key: string, remote: IpAddress): VtepPeer {
    const existing = this.#peers.get(key);
    if (existing !== undefined) return existing;
    const peer = new VtepPeer({ udp: this.#udp, remote, port: this.port, drops: this.#drops });
    this.#peers.set(key, peer);
    return peer;
  }
}
