import type { IpAddress } from '../base/ip.ts';
import type { PodLease } from './lease-store.ts';
import type { PodRange, RangeSet } from './range-set.ts';
import { SparseBitmap } from './sparse-bitmap.ts';

interface RangePool {
  readonly range: PodRange;
  /** Leased addresses and the gateway. */
  readonly taken: SparseBitmap;
  /** How many addresses of the range can be leased. */
  readonly capacity: number;
}

/** Which addresses of one range set are taken, by whom, and which one is next. */
export class RangeSetPool {
  readonly set: RangeSet;
  readonly #pools: readonly RangePool[];
  readonly #leases = new Map<IpAddress['value'], PodLease>();
  #next = { pool: 0, index: 0 };

  constructor(set: RangeSet) {
    this.set = set;
    this.#pools = set.map(poolOf);
  }

  get total(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.capacity, 0);
  }

  /** Leased or blocked. */
  get used(): number {
    return this.total - this.#pools.reduce((sum, { taken }) => sum + taken.size - taken.used, 0);
  }

  lease(address: IpAddress): PodLease | undefined {
    return this.#leases.get(address.value);
  }

  /** Oldest first. */
  leases(): IterableIterator<PodLease> {
    return this.#leases.values();
  }

  rangeOf(address: IpAddress): PodRange | undefined {
    return this.set.find((range) => range.addresses.indexOf(address) !== undefined);
  }

  /** The round robin goes on after `address`; no effect when it is not in the set. */
  continueAfter(address: IpAddress): void {
    const pool = this.set.findIndex((range) => range.addresses.indexOf(address) !== undefined);
    const index = this.set[pool]?.addresses.indexOf(address);
    if (index !== undefined) this.#next = { pool, index: index + 1 };
  }

  /** The next free address: to the end of the range, through the others, and once around. */
  nextFree(): IpAddress | undefined {
    const { pool, index } = this.#next;
    const free = this.#freeIn(pool, index);
    if (free !== undefined) return free;
    for (let step = 1; step <= this.#pools.length; step += 1) {
      const wrapped = this.#freeIn((pool + step) % this.#pools.length, 0);
      if (wrapped !== undefined) return wrapped;
    }
    return undefined;
  }

  /** Taken by someone unknown: never offered again. */
  block(address: IpAddress): void {
    this.#mark(address, true);
  }

  take(lease: PodLease): void {
    this.#mark(lease.address, true);
    this.#leases.set(lease.address.value, lease);
  }

  free(address: IpAddress): void {
    if (this.#leases.delete(address.value)) this.#mark(address, false);
  }

  #freeIn(poolIndex: number, from: number): IpAddress | undefined {
    const pool = this.#pools[poolIndex];
    const index = pool?.taken.nextFree(from);
    return index === undefined ? undefined : pool?.range.addresses.at(index);
  }

  #mark(address: IpAddress, taken: boolean): void {
    for (const pool of this.#pools) {
      const index = pool.range.addresses.indexOf(address);
      if (index === undefined) continue;
      if (taken) pool.taken.set(index);
      else pool.taken.clear(index);
    }
  }
}

function poolOf(range: PodRange): RangePool {
  const taken = new SparseBitmap(range.addresses.size);
  const gateway = range.addresses.indexOf(range.gateway);
  if (gateway !== undefined) taken.set(gateway);
  return { range, taken, capacity: range.addresses.size - taken.used };
}
