import { HeapTask, type TimerHeap } from '../timer-heap.ts';
import type { KernelBehaviour } from '../kernel.ts';

/** What lblc and lblcr remember of a destination address. */
export interface CacheEntry {
  lastUseMs: number;
  /** Lets go of the destinations it refers to. */
  release(): void;
}

interface AddressCacheOptions {
  readonly timers: TimerHeap;
  readonly kernel: KernelBehaviour;
  readonly now: () => number;
  /** Read at every check, so that the sysctl acts at once. */
  readonly expirationMs: () => number;
}

const CHECK_INTERVAL_MS = 60_000;
const CHECKS_PER_FULL_EXPIRATION = 30;
const TRIM_ABOVE = 16_384;
const TRIM_IDLE_MS = 6 * 60_000;

/**
 * The bounded cache of lblc and lblcr by destination address. Above 16384 entries those idle for six
 * minutes go, a third more than the excess and at most 8192 a minute; every 30 quiet minutes those idle
 * for the expiration sysctl. Beyond the kernel's bound nothing is added.
 */
export class AddressCache<Entry extends CacheEntry> {
  readonly #entries = new Map<string, Entry>();
  readonly #options: AddressCacheOptions;
  readonly #check: HeapTask;
  #checks = 1;

  constructor(options: AddressCacheOptions) {
    this.#options = options;
    this.#check = new HeapTask(() => this.#expire());
    options.timers.restart(this.#check, CHECK_INTERVAL_MS);
  }

  /** Refreshes the entry's time of use. */
  use(address: string): Entry | undefined {
    const entry = this.#entries.get(address);
    if (entry !== undefined) entry.lastUseMs = this.#options.now();
    return entry;
  }

  /** False when the bound is reached: the caller must not hold references for the entry. */
  add(address: string, entry: Entry): boolean {
    if (this.#entries.size >= this.#options.kernel.cacheBound) return false;
    this.#entries.set(address, entry);
    return true;
  }

  close(): void {
    this.#options.timers.remove(this.#check);
    for (const entry of this.#entries.values()) entry.release();
    this.#entries.clear();
  }

  #expire(): void {
    if (this.#checks % CHECKS_PER_FULL_EXPIRATION === 0) {
      this.#drop(this.#options.expirationMs(), Infinity);
      this.#checks = 1;
    } else if (this.#entries.size <= TRIM_ABOVE) {
      this.#checks += 1;
    } else {
      const excess = Math.floor(((this.#entries.size - TRIM_ABOVE) * 4) / 3);
      this.#drop(TRIM_IDLE_MS, Math.min(excess, TRIM_ABOVE / 2));
    }
    this.#options.timers.restart(this.#check, CHECK_INTERVAL_MS);
  }

  #drop(idleMs: number, atMost: number): void {
    const lastUseBefore = this.#options.now() - idleMs;
    let left = atMost;
    for (const [address, entry] of this.#entries) {
      if (left <= 0) return;
      if (entry.lastUseMs > lastUseBefore) continue;
      this.#entries.delete(address);
      entry.release();
      left -= 1;
    }
  }
}
