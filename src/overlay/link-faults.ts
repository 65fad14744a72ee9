import type { Random } from '../base/random.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { readUint16, readUint32, writeUint16 } from '../wire/bytes.ts';
import { ETHERNET_HEADER_BYTES, EtherType } from '../wire/ethernet.ts';
import { IpProtocol } from '../wire/ipv4.ts';

/** What is wrong with a link, one direction. Absent is healthy. Fractions are 0..1, of frames. */
export interface LinkFaults {
  readonly lossFraction?: number;
  readonly delayMs?: number;
  /** Added to the delay, uniform in 0..jitterMs. Does not reorder. */
  readonly jitterMs?: number;
  /** These are held back by {@link reorderDelayMs}, so that later ones overtake them. */
  readonly reorderFraction?: number;
  /** Default 1. */
  readonly reorderDelayMs?: number;
  readonly duplicateFraction?: number;
  /** One bit of these is flipped, anywhere. */
  readonly corruptFraction?: number;
  /** What the link carries; frames queue behind each other. */
  readonly rateBitsPerSecond?: number;
  /** What may queue for the rate, the frame in transmission included. Default 256 KiB. */
  readonly queueBytes?: number;
  /** Nothing gets through. */
  readonly isPartitioned?: boolean;
  /** IPv4 packets above this vanish without an ICMP message. */
  readonly blackHoleMtuBytes?: number;
  /** UDP to these ports vanishes: all frames where one is the tunnel's own, as behind a firewall, else what is inside. */
  readonly blockedUdpPorts?: readonly number[];
  /** TCP and UDP leave with the pseudo-header sum only, as from a kernel with checksum offload. */
  readonly leavesChecksumsPartial?: boolean;
}

export type LinkLossReason =
  | 'fault-partition'
  | 'fault-black-hole'
  | 'fault-port-blocked'
  | 'fault-loss'
  | 'fault-queue-full';

/** What becomes of a frame: dropped, or one or two arrivals, each with its own bytes if they differ. */
export type FrameFate =
  | { readonly kind: 'dropped'; readonly reason: LinkLossReason }
  | { readonly kind: 'delivered'; readonly arrivals: readonly FrameArrival[] };

export interface FrameArrival {
  /** On the scale of the `now` that was passed in, never before it. */
  readonly atMs: number;
  readonly packet: Uint8Array;
}

const DEFAULT_QUEUE_BYTES = 256 * 1024;
const DEFAULT_REORDER_DELAY_MS = 1;
const FRACTIONS = [
  'lossFraction',
  'reorderFraction',
  'duplicateFraction',
  'corruptFraction',
] as const;
const AMOUNTS = ['delayMs', 'jitterMs', 'reorderDelayMs', 'queueBytes'] as const;

/**
 * One direction of a link with faults that can be changed at any time. Decides only: whoever owns the
 * timers delivers. The same seed and the same frames at the same times meet the same fate.
 */
export class FaultyLink {
  readonly #random: Random;
  readonly #tunnelPort: number;
  #faults: LinkFaults = {};
  #busyUntil = 0;
  #lastArrivalAt = 0;

  /** `tunnelPort`: the UDP port that the frames are carried to, if any. */
  constructor(random: Random, faults: LinkFaults = {}, tunnelPort = 0) {
    this.#random = random;
    this.#tunnelPort = tunnelPort;
    this.faults = faults;
  }

  get faults(): LinkFaults {
    return this.#faults;
  }

  /** Holds for frames sent from now on. Throws a RangeError that names the field. */
  set faults(faults: LinkFaults) {
    checkFaults(faults);
    this.#faults = { ...faults };
  }

  /** Sends a packet whose Ethernet header starts at `frameAt`. Never writes to it. */
  send(now: number, packet: Uint8Array, frameAt = 0): FrameFate {
    const faults = this.#faults;
    const reason = this.#isBlocked(packet, frameAt)
      ? 'fault-port-blocked'
      : this.#loses(now, packet.length - frameAt);
    if (reason !== undefined) return { kind: 'dropped', reason };
    const departsAt = this.#transmit(now, packet.length - frameAt);
    const damaged = this.#damage(packet, frameAt);
    const arrivals = [{ atMs: this.#arrivalOf(departsAt), packet: damaged }];
    if (this.#happens(faults.duplicateFraction))
      arrivals.push({ atMs: this.#arrivalOf(departsAt), packet: damaged });
    return { kind: 'delivered', arrivals };
  }

  #isBlocked(packet: Uint8Array, frameAt: number): boolean {
    const { blockedUdpPorts: ports } = this.#faults;
    if (ports === undefined) return false;
    return ports.includes(this.#tunnelPort) || ports.includes(udpPortOf(packet, frameAt));
  }

  #loses(now: number, frameBytes: number): LinkLossReason | undefined {
    const { isPartitioned, blackHoleMtuBytes, lossFraction, rateBitsPerSecond } = this.#faults;
    if (isPartitioned === true) return 'fault-partition';
    if (blackHoleMtuBytes !== undefined && frameBytes - ETHERNET_HEADER_BYTES > blackHoleMtuBytes)
      return 'fault-black-hole';
    if (this.#happens(lossFraction)) return 'fault-loss';
    if (rateBitsPerSecond === undefined) return undefined;
    const queuedBytes = (Math.max(0, this.#busyUntil - now) * rateBitsPerSecond) / 8000;
    const limitBytes = this.#faults.queueBytes ?? DEFAULT_QUEUE_BYTES;
    return queuedBytes > 0 && queuedBytes + frameBytes > limitBytes
      ? 'fault-queue-full'
      : undefined;
  }

  /** When the last bit has left. */
  #transmit(now: number, frameBytes: number): number {
    const { rateBitsPerSecond } = this.#faults;
    if (rateBitsPerSecond === undefined) return now;
    this.#busyUntil = Math.max(now, this.#busyUntil) + (frameBytes * 8000) / rateBitsPerSecond;
    return this.#busyUntil;
  }

  #arrivalOf(departsAt: number): number {
    const { delayMs, jitterMs, reorderFraction, reorderDelayMs } = this.#faults;
    const jitter = jitterMs === undefined ? 0 : this.#random.float() * jitterMs;
    const atMs = Math.max(this.#lastArrivalAt, departsAt + (delayMs ?? 0) + jitter);
    if (this.#happens(reorderFraction)) return atMs + (reorderDelayMs ?? DEFAULT_REORDER_DELAY_MS);
    this.#lastArrivalAt = atMs;
    return atMs;
  }

  #damage(packet: Uint8Array, frameAt: number): Uint8Array {
    const { corruptFraction, leavesChecksumsPartial } = this.#faults;
    const isCorrupt = this.#happens(corruptFraction);
    if (!isCorrupt && leavesChecksumsPartial !== true) return packet;
    const copy = packet.slice();
    if (leavesChecksumsPartial === true) leaveChecksumPartial(copy, frameAt);
    if (isCorrupt) {
      const at = frameAt + this.#random.below(copy.length - frameAt);
      copy[at] = (copy[at] as number) ^ (1 << this.#random.below(8));
    }
    return copy;
  }

  #happens(fraction: number | undefined): boolean {
    return fraction !== undefined && fraction > 0 && this.#random.float() < fraction;
  }
}

/** Throws a RangeError that names the field. */
export function checkFaults(faults: LinkFaults): void {
  for (const field of FRACTIONS) {
    const value = faults[field] ?? 0;
    if (!(value >= 0 && value <= 1)) throw new RangeError(`${field} ${value} is outside 0..1`);
  }
  for (const field of AMOUNTS) {
    const value = faults[field] ?? 0;
    if (!(value >= 0)) throw new RangeError(`${field} ${value} is negative`);
  }
  for (const port of faults.blockedUdpPorts ?? [])
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new RangeError(`blockedUdpPorts ${port} is no port`);
  const rate = faults.rateBitsPerSecond;
  if (rate !== undefined && !(rate > 0))
    throw new RangeError(`rateBitsPerSecond ${rate} must be above 0`);
}

const CHECKSUM_AT: Readonly<Record<number, number>> = {
  [IpProtocol.tcp]: 16,
  [IpProtocol.udp]: 6,
};

/** The destination port of a UDP packet; 0 for anything else and for later fragments. */
function udpPortOf(packet: Uint8Array, frameAt: number): number {
  const ipAt = frameAt + ETHERNET_HEADER_BYTES;
  if (readUint16(packet, ipAt - 2) !== EtherType.ipv4 || packet[ipAt + 9] !== IpProtocol.udp)
    return 0;
  const isLaterFragment = (readUint16(packet, ipAt + 6) & 0x1fff) !== 0;
  return isLaterFragment ? 0 : readUint16(packet, ipAt + ((packet[ipAt] as number) & 15) * 4 + 2);
}

/** In place; frames without an unfragmented TCP or UDP packet stay as they are. */
function leaveChecksumPartial(packet: Uint8Array, frameAt: number): void {
  const ipAt = frameAt + ETHERNET_HEADER_BYTES;
  const isFragment = (readUint16(packet, ipAt + 6) & 0x3fff) !== 0;
  if (readUint16(packet, ipAt - 2) !== EtherType.ipv4 || isFragment) return;
  const protocol = packet[ipAt + 9] as number;
  const checksumAt = CHECKSUM_AT[protocol];
  if (checksumAt === undefined) return;
  const transportAt = ipAt + ((packet[ipAt] as number) & 15) * 4;
  const lengthBytes = ipAt + readUint16(packet, ipAt + 2) - transportAt;
  const source = readUint32(packet, ipAt + 12);
  const destination = readUint32(packet, ipAt + 16);
  writeUint16(
    packet,
    transportAt + checksumAt,
    pseudoHeaderSum(source, destination, protocol, lengthBytes),
  );
}
