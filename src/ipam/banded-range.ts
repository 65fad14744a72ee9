import type { Random } from '../base/random.ts';
import { SparseBitmap } from './sparse-bitmap.ts';

/** Random draws have 32 bits; a longer upper part is entered somewhere in its first 2^32 indexes. */
const MAX_DRAW = 2 ** 32;

export type ReleaseOutcome =
  | { readonly kind: 'released' }
  /** Released before, never allocated, or allocated to someone else: then `holder` says to whom. */
  | { readonly kind: 'notHeld'; readonly holder: string | undefined };

/**
 * Indexes [0, size) with a static band at the low end (KEP-3070 for addresses, KEP-3668 for ports): whoever asks
 * for one by number may have any free one; whoever asks for just one gets it from above the band, so that the band
 * stays free for requests by number, and from the band only when all above is taken.
 */
export class BandedRange {
  readonly bandSize: number;
  readonly #bitmap: SparseBitmap;
  readonly #holders = new Map<number, string>();
  readonly #random: Random;

  constructor(size: number, bandSize: number, random: Random) {
    this.bandSize = bandSize;
    this.#bitmap = new SparseBitmap(size);
    this.#random = random;
  }

  get size(): number {
    return this.#bitmap.size;
  }

  get used(): number {
    return this.#bitmap.used;
  }

  holder(index: number): string | undefined {
    return this.#holders.get(index);
  }

  holders(): IterableIterator<[index: number, holder: string]> {
    return this.#holders.entries();
  }

  /** undefined when all are taken. */
  allocate(holder: string): number | undefined {
    const index = this.#scan(this.bandSize, this.size) ?? this.#scan(0, this.bandSize);
    if (index !== undefined) this.take(index, holder);
    return index;
  }

  /** False when the index is taken. The caller has checked that it is in [0, size). */
  take(index: number, holder: string): boolean {
    if (!this.#bitmap.set(index)) return false;
    this.#holders.set(index, holder);
    return true;
  }

  release(index: number, holder: string): ReleaseOutcome {
    const current = this.#holders.get(index);
    if (current !== holder) return { kind: 'notHeld', holder: current };
    this.#bitmap.clear(index);
    this.#holders.delete(index);
    return { kind: 'released' };
  }

  /** From a random index to the end, then from the start: the first free one. */
  #scan(start: number, end: number): number | undefined {
    if (end <= start) return undefined;
    const entry = start + this.#random.below(Math.min(end - start, MAX_DRAW));
    return this.#bitmap.nextFree(entry, end) ?? this.#bitmap.nextFree(start, entry);
  }
}
