import { MADV_DONTNEED } from '../../../base/linux/abi.ts';
import type { Address, SystemCalls } from '../../../base/linux/system-calls.ts';

/** The size of a big read, and of the buffer that takes it. */
export const BUFFER_BYTES = 65_536;
const ARENA_BYTES: number = 1 << 20;
/** After so many bytes of buffers have come back, those that nobody has wanted meanwhile lose their memory. */
const PERIOD_BYTES: number = 2 << 20;

/** What a pool asks of the system. */
export interface PoolMemory {
  readonly calls: Pick<SystemCalls, 'getpagesize' | 'madvise'>;
  /** As {@link Linux.map}: pages that cost nothing until they are touched. */
  map(bytes: number): { readonly address: Address };
}

/**
 * Memory for bytes on their way, in buffers of one size, which must divide a MiB. Addresses are never unmapped while the
 * thread runs, so one stays valid whatever happens to the connection that used it; but the pages behind those that lie
 * idle go back to the kernel.
 *
 * Idle are those at the bottom of the stack of free ones: what the pool never came down to while PERIOD_BYTES were given
 * back. So a load that comes and goes keeps its buffers, and when a crowd has left, two periods are the most that stays.
 */
export class BufferPool {
  readonly #memory: PoolMemory;
  readonly #bytes: number;
  readonly #pageBytes: number;
  /** Free, those given back last on top. */
  readonly #warm: Address[] = [];
  /** Free, with no memory behind them. */
  readonly #cold: Address[] = [];
  #givenBack = 0;
  /** The fewest that `#warm` has had in this period. */
  #fewestWarm = 0;

  constructor(memory: PoolMemory, bytes: number) {
    this.#memory = memory;
    this.#bytes = bytes;
    this.#pageBytes = memory.calls.getpagesize();
  }

  /** Its content is anything. */
  take(): Address {
    const warm = this.#warm.pop();
    if (warm === undefined) return this.#takeCold();
    if (this.#warm.length < this.#fewestWarm) this.#fewestWarm = this.#warm.length;
    return warm;
  }

  /** Once for each `take`, after the last request that names it has completed. */
  giveBack(buffer: Address): void {
    this.#warm.push(buffer);
    this.#givenBack += this.#bytes;
    if (this.#givenBack >= PERIOD_BYTES) this.#endPeriod();
  }

  #takeCold(): Address {
    if (this.#cold.length === 0) {
      const arena = this.#memory.map(ARENA_BYTES).address;
      for (let at = ARENA_BYTES; at > 0; ) this.#cold.push(arena + (at -= this.#bytes));
    }
    return this.#cold.pop() ?? 0;
  }

  #endPeriod(): void {
    const idle = this.#warm.splice(0, this.#fewestWarm).toSorted((one, other) => other - one);
    this.#givenBack = 0;
    this.#fewestWarm = this.#warm.length;
    let end = 0;
    let start = 0;
    for (const buffer of idle) {
      if (buffer + this.#bytes !== start) {
        this.#discard(start, end);
        end = buffer + this.#bytes;
      }
      start = buffer;
      this.#cold.push(buffer);
    }
    this.#discard(start, end);
  }

  /** The whole pages from `start` to `end`, which read as zeros afterwards. Where the kernel refuses, they stay. */
  #discard(start: Address, end: Address): void {
    const page = this.#pageBytes;
    const from = Math.ceil(start / page) * page;
    const to = Math.floor(end / page) * page;
    if (from < to) this.#memory.calls.madvise(from, to - from, MADV_DONTNEED);
  }
}
