import type { MacAddress } from '../../wire/mac.ts';
import type { NetInterface } from './net-interface.ts';

/** The states of `ip neigh` that podwire has. */
export type NeighbourState = 'PERMANENT' | 'REACHABLE' | 'STALE' | 'PROBE' | 'INCOMPLETE';

export interface Neighbour {
  readonly address: number;
  readonly netInterface: NetInterface;
  /** Undefined while INCOMPLETE. */
  mac: MacAddress | undefined;
  state: NeighbourState;
  /** Who put a permanent entry there. */
  readonly owner: string | undefined;
}

interface Entry extends Neighbour {
  /** When REACHABLE ends, or when the next ARP request is due. */
  timerAt: number;
  probes: number;
  /** Whole packets that wait for the MAC, oldest first. */
  readonly waiting: Uint8Array[];
}

/** What the cache asks of its stack. */
export interface NeighbourPort {
  /** Sends an ARP request: to `mac`, or to everyone when undefined. */
  solicit(netInterface: NetInterface, address: number, mac: MacAddress | undefined): void;
  /** Sends a packet that waited, now that the MAC is known. */
  release(netInterface: NetInterface, packet: Uint8Array, mac: MacAddress): void;
  /** Gives a packet up. */
  discard(
    netInterface: NetInterface,
    packet: Uint8Array,
    reason: 'neighbour-unreachable' | 'neighbour-queue-full',
  ): void;
  /** Nobody answered for `address`. */
  unreachable(address: number): void;
}

/** Linux: net.ipv4.neigh.default.base_reachable_time_ms, retrans_time_ms, mcast_solicit, gc_thresh3. */
const REACHABLE_MS = 30_000;
const RETRANSMIT_MS = 1000;
const MAX_PROBES = 3;
const MAX_ENTRIES = 1024;
const MAX_WAITING = 16;

/**
 * RFC 826 with the timers of Linux's neighbour table. Permanent entries never change by traffic. At most
 * 1,024 learned entries: the oldest makes room.
 */
export class NeighbourCache {
  readonly #entries = new Map<string, Entry>();
  readonly #port: NeighbourPort;
  /** The one used last: bursts go to one neighbour, and making a key costs more than all the rest. */
  #latest: Entry | undefined;
  #learned = 0;
  #nextTimerAt = Number.POSITIVE_INFINITY;

  constructor(port: NeighbourPort) {
    this.#port = port;
  }

  setPermanent(
    netInterface: NetInterface,
    address: number,
    mac: MacAddress,
    options: { owner?: string } = {},
  ): void {
    this.remove(netInterface, address);
    const entry = newEntry(netInterface, address, 'PERMANENT', options.owner);
    entry.mac = mac;
    this.#entries.set(keyOf(netInterface, address), entry);
  }

  remove(netInterface: NetInterface, address: number): boolean {
    const key = keyOf(netInterface, address);
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    if (this.#latest === entry) this.#latest = undefined;
    if (entry.state !== 'PERMANENT') this.#learned -= 1;
    for (const packet of entry.waiting)
      this.#port.discard(netInterface, packet, 'neighbour-unreachable');
    return this.#entries.delete(key);
  }

  /** By interface and address. */
  entries(): readonly Neighbour[] {
    return [...this.#entries.values()].toSorted(
      (a, b) => a.netInterface.name.localeCompare(b.netInterface.name) || a.address - b.address,
    );
  }

  /** The MAC to use now, or undefined: then `packet` waits (or is dropped) and a request goes out. */
  resolve(
    now: number,
    netInterface: NetInterface,
    address: number,
    packet: Uint8Array,
  ): MacAddress | undefined {
    const entry = this.#find(netInterface, address);
    if (entry === undefined) {
      this.#wait(this.#startResolving(now, netInterface, address), packet);
      return undefined;
    }
    if (entry.mac === undefined) this.#wait(entry, packet);
    else if (entry.state === 'STALE') this.#startProbing(now, entry);
    return entry.mac;
  }

  /** A peer said where `address` is. Unknown addresses are learned only when `create`. */
  learn(
    now: number,
    netInterface: NetInterface,
    address: number,
    mac: MacAddress,
    create: boolean,
  ): void {
    let entry = this.#find(netInterface, address);
    if (entry === undefined && create) entry = this.#add(netInterface, address);
    if (entry === undefined || entry.state === 'PERMANENT') return;
    entry.mac = mac;
    entry.state = 'REACHABLE';
    entry.probes = 0;
    this.#arm(entry, now + REACHABLE_MS);
    for (const packet of entry.waiting.splice(0)) this.#port.release(netInterface, packet, mac);
  }

  pollAt(): number {
    return this.#nextTimerAt;
  }

  expire(now: number): void {
    if (now < this.#nextTimerAt) return;
    for (const entry of this.#entries.values())
      if (entry.timerAt <= now) this.#expireOne(now, entry);
    this.#nextTimerAt = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values())
      this.#nextTimerAt = Math.min(this.#nextTimerAt, entry.timerAt);
  }

  #find(netInterface: NetInterface, address: number): Entry | undefined {
    const latest = this.#latest;
    if (latest?.address === address && latest.netInterface === netInterface) return latest;
    this.#latest = this.#entries.get(keyOf(netInterface, address));
    return this.#latest;
  }

  #expireOne(now: number, entry: Entry): void {
    if (entry.state === 'REACHABLE') {
      entry.state = 'STALE';
      entry.timerAt = Number.POSITIVE_INFINITY;
    } else if (entry.probes < MAX_PROBES) this.#probe(now, entry);
    else {
      this.remove(entry.netInterface, entry.address);
      this.#port.unreachable(entry.address);
    }
  }

  #startResolving(now: number, netInterface: NetInterface, address: number): Entry {
    const entry = this.#add(netInterface, address);
    this.#probe(now, entry);
    return entry;
  }

  #startProbing(now: number, entry: Entry): void {
    entry.state = 'PROBE';
    this.#probe(now, entry);
  }

  #probe(now: number, entry: Entry): void {
    entry.probes += 1;
    this.#arm(entry, now + RETRANSMIT_MS);
    this.#port.solicit(entry.netInterface, entry.address, entry.mac);
  }

  #arm(entry: Entry, at: number): void {
    entry.timerAt = at;
    this.#nextTimerAt = Math.min(this.#nextTimerAt, at);
  }

  #wait(entry: Entry, packet: Uint8Array): void {
    if (entry.waiting.length < MAX_WAITING) entry.waiting.push(packet);
    else this.#port.discard(entry.netInterface, packet, 'neighbour-queue-full');
  }

  #add(netInterface: NetInterface, address: number): Entry {
    if (this.#learned >= MAX_ENTRIES) this.#evictOldest();
    const entry = newEntry(netInterface, address, 'INCOMPLETE', undefined);
    this.#entries.set(keyOf(netInterface, address), entry);
    this.#learned += 1;
    return entry;
  }

  #evictOldest(): void {
    for (const entry of this.#entries.values())
      if (entry.state !== 'PERMANENT') {
        this.remove(entry.netInterface, entry.address);
        return;
      }
  }
}

function keyOf(netInterface: NetInterface, address: number): string {
  return `${netInterface.name}/${address}`;
}

function newEntry(
  netInterface: NetInterface,
  address: number,
  state: NeighbourState,
  owner: string | undefined,
): Entry {
  return {
    address,
    netInterface,
    mac: undefined,
    state,
    owner,
    timerAt: Number.POSITIVE_INFINITY,
    probes: 0,
    waiting: [],
  };
}
