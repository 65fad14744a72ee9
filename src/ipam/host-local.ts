import { formatIp, type IpAddress } from '../base/ip.ts';
import type { LeaseStore, PodLease, PodOwner } from './lease-store.ts';
import type { RangeSet } from './range-set.ts';
import { RangeSetPool } from './range-set-pool.ts';

/** An address as CNI reports it. */
export interface PodAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly gateway: IpAddress;
}

export type PodIpRefusal =
  /** This owner has addresses already and asked for none by name. */
  | { readonly kind: 'duplicate'; readonly owner: PodOwner; readonly held: readonly IpAddress[] }
  /** `holders`: the longest-held leases of the set, a few of them. */
  | {
      readonly kind: 'exhausted';
      readonly setIndex: number;
      readonly set: RangeSet;
      readonly used: number;
      readonly total: number;
      readonly holders: readonly PodOwner[];
    }
  /** `holder` is undefined when another process holds it. */
  | { readonly kind: 'inUse'; readonly address: IpAddress; readonly holder: PodOwner | undefined }
  | { readonly kind: 'isGateway'; readonly address: IpAddress }
  /** Requested addresses that no range set has, or more than one of a set. */
  | { readonly kind: 'notInRange'; readonly addresses: readonly IpAddress[] };

export type PodIpOutcome =
  /** One address for each range set, in their order. */
  | { readonly kind: 'allocated'; readonly addresses: readonly PodAddress[] }
  /** Nothing was taken. */
  | PodIpRefusal;

type Reservation = { readonly kind: 'reserved'; readonly lease: PodLease } | PodIpRefusal;

/** How many holders an exhausted range names. */
const NAMED_HOLDERS = 5;

/**
 * The pod addresses of one node, handed out as CNI's host-local plugin does: one from each range set, round robin
 * after the last reserved, the gateway never, a requested one if it is free. Leases live in the store; an index in
 * memory makes every operation independent of how many there are. One allocator a store: addresses that another
 * process takes are noticed when they are met, and are not handed out until a restart.
 */
export class HostLocalAllocator {
  readonly #store: LeaseStore;
  readonly #pools: readonly RangeSetPool[];
  readonly #byOwner = new Map<string, PodLease[]>();

  constructor(options: { readonly sets: readonly RangeSet[]; readonly store: LeaseStore }) {
    this.#store = options.store;
    this.#pools = options.sets.map((set) => new RangeSetPool(set));
    const stored = this.#store.load();
    for (const lease of stored.leases) {
      this.#poolOf(lease.address)?.take(lease);
      this.#own(keyOf(lease.owner), [lease]);
    }
    for (const [setIndex, address] of stored.lastReserved)
      this.#pools[setIndex]?.continueAfter(address);
  }

  /** How full each range set is. */
  usage(): { set: RangeSet; used: number; total: number }[] {
    return this.#pools.map((pool) => ({ set: pool.set, used: pool.used, total: pool.total }));
  }

  /** Every lease, those outside the configured ranges included. */
  leases(): PodLease[] {
    return [...this.#byOwner.values()].flat();
  }

  leasesOf(owner: PodOwner): readonly PodLease[] {
    return this.#byOwner.get(keyOf(owner)) ?? [];
  }

  /** CNI ADD. All sets give an address or none does. */
  allocate(owner: PodOwner, requested: readonly IpAddress[] = []): PodIpOutcome {
    const key = keyOf(owner);
    const held = this.#byOwner.get(key) ?? [];
    if (requested.length === 0 && held.length > 0)
      return { kind: 'duplicate', owner, held: held.map((lease) => lease.address) };
    const wanted = this.#assignToSets(requested);
    if (wanted.left.length > 0) return { kind: 'notInRange', addresses: wanted.left };

    const leases: PodLease[] = [];
    for (const [setIndex, pool] of this.#pools.entries()) {
      const address = wanted.bySet.get(setIndex);
      const outcome =
        address === undefined
          ? this.#reserveNext(pool, setIndex, owner)
          : this.#reserveThis(pool, setIndex, { address, owner });
      if (outcome.kind !== 'reserved') {
        for (const lease of leases) this.#free(lease);
        return outcome;
      }
      leases.push(outcome.lease);
    }
    this.#own(key, leases);
    return { kind: 'allocated', addresses: leases.flatMap((lease) => this.#describe(lease)) };
  }

  /** CNI DEL: every address of the owner. Empty when it had none, which is no error. */
  release(owner: PodOwner): readonly PodLease[] {
    return this.#releaseAll(keyOf(owner));
  }

  /** Releases what no live owner holds, for example after a reboot, and says what that was. */
  gc(live: Iterable<PodOwner>): readonly PodLease[] {
    const liveKeys = new Set([...live].map(keyOf));
    const dead = [...this.#byOwner.keys()].filter((key) => !liveKeys.has(key));
    return dead.flatMap((key) => this.#releaseAll(key));
  }

  #assignToSets(requested: readonly IpAddress[]): {
    bySet: Map<number, IpAddress>;
    left: IpAddress[];
  } {
    const bySet = new Map<number, IpAddress>();
    const left: IpAddress[] = [];
    for (const address of requested) {
      const setIndex = this.#pools.findIndex((pool) => pool.rangeOf(address) !== undefined);
      if (setIndex === -1 || bySet.has(setIndex)) left.push(address);
      else bySet.set(setIndex, address);
    }
    return { bySet, left };
  }

  #reserveNext(pool: RangeSetPool, setIndex: number, owner: PodOwner): Reservation {
    for (let address = pool.nextFree(); address !== undefined; address = pool.nextFree()) {
      const lease = { address, owner };
      if (this.#reserve(pool, setIndex, lease)) return { kind: 'reserved', lease };
    }
    const holders = firstOf(pool.leases(), NAMED_HOLDERS).map((lease) => lease.owner);
    const { set, used, total } = pool;
    return { kind: 'exhausted', setIndex, set, used, total, holders };
  }

  #reserveThis(pool: RangeSetPool, setIndex: number, lease: PodLease): Reservation {
    const { address } = lease;
    if (pool.rangeOf(address)?.gateway.value === address.value)
      return { kind: 'isGateway', address };
    const holder = pool.lease(address)?.owner;
    if (holder !== undefined || !this.#reserve(pool, setIndex, lease))
      return { kind: 'inUse', address, holder };
    return { kind: 'reserved', lease };
  }

  /** False when another process has the address. */
  #reserve(pool: RangeSetPool, setIndex: number, lease: PodLease): boolean {
    if (!this.#store.reserve(lease)) {
      pool.block(lease.address);
      return false;
    }
    this.#store.setLastReserved(setIndex, lease.address);
    pool.continueAfter(lease.address);
    pool.take(lease);
    return true;
  }

  /** Keys are made once an operation: in a large map looking one up costs more than all the rest. */
  #own(key: string, leases: PodLease[]): void {
    const held = this.#byOwner.get(key);
    if (held === undefined) this.#byOwner.set(key, leases);
    else held.push(...leases);
  }

  #releaseAll(key: string): PodLease[] {
    const leases = this.#byOwner.get(key);
    if (leases === undefined) return [];
    this.#byOwner.delete(key);
    for (const lease of leases) this.#free(lease);
    return leases;
  }

  #free({ address }: PodLease): void {
    this.#store.release(address);
    this.#poolOf(address)?.free(address);
  }

  #poolOf(address: IpAddress): RangeSetPool | undefined {
    return this.#pools.find((pool) => pool.rangeOf(address) !== undefined);
  }

  #describe(lease: PodLease): PodAddress[] {
    const range = this.#poolOf(lease.address)?.rangeOf(lease.address);
    if (range === undefined) return [];
    const { address } = lease;
    return [{ address, prefixLength: range.subnet.prefixLength, gateway: range.gateway }];
  }
}

/** What a refused allocation says to people, worded after host-local's errors. */
export function describePodIpRefusal(refusal: PodIpRefusal): string {
  switch (refusal.kind) {
    case 'duplicate':
      return `duplicate allocation is not allowed: ${nameOf(refusal.owner)} holds ${refusal.held.map(formatIp).join(', ')}`;
    case 'exhausted': {
      const ranges = refusal.set.map((range) => range.addresses.toString()).join(',');
      const holders = refusal.holders.map(nameOf).join(', ');
      const held = holders === '' ? '' : `, longest held by ${holders}`;
      return `failed to allocate for range ${refusal.setIndex}: no IP addresses available in range set: ${ranges} (${refusal.used} of ${refusal.total} in use${held})`;
    }
    case 'inUse': {
      const holder = refusal.holder === undefined ? 'another process' : nameOf(refusal.holder);
      return `requested IP address ${formatIp(refusal.address)} is not available: held by ${holder}`;
    }
    case 'isGateway':
      return `requested ip ${formatIp(refusal.address)} is subnet's gateway`;
    case 'notInRange':
      return `failed to allocate all requested IPs: ${refusal.addresses.map(formatIp).join(', ')}`;
  }
}

function keyOf(owner: PodOwner): string {
  return `${owner.containerId}\n${owner.ifName}`;
}

function nameOf(owner: PodOwner): string {
  return `${owner.containerId}/${owner.ifName}`;
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) {
    if (first.length === count) break;
    first.push(item);
  }
  return first;
}
