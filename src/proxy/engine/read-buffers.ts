import { SlabPool } from './slab-pool.ts';

/** Holds a request or its answer; every connection has two. */
export const SMALL_BYTES = 4096;
const MEDIUM_BYTES = 65_536;
/** Fewer wake-ups: about two thirds of what a MiB costs at 128 KiB (docs/forwarding.md has both). */
const LARGE_BYTES = 1_048_576;

/** Small buffers are cut from slabs: one allocation for so many connections. */
const SLAB_BYTES = 1 << 20;
const MAX_SPARE_SLABS = 2;
/** Buffers kept for later, of the other two sizes each; more are left to the garbage collector. */
const MAX_SPARE_BYTES = 32 << 20;
/** Medium and large buffers lent at one time; beyond it, bulk transfers stay with what they have. */
const MAX_LENT_BYTES = 128 << 20;

/**
 * Read buffers in three sizes, lent to one direction of one connection at a time. Taken back only when nothing
 * of the connection can touch them any more.
 */
export class ReadBuffers {
  readonly #small = new SlabPool({
    pieceBytes: SMALL_BYTES,
    slabBytes: SLAB_BYTES,
    maxSpareSlabs: MAX_SPARE_SLABS,
  });
  readonly #medium: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];
  #lentBytes = 0;

  small(): Uint8Array {
    return this.#small.take();
  }

  /** The next size up, or undefined when there is none to lend. The old one is still the caller's. */
  larger(buffer: Uint8Array): Uint8Array | undefined {
    const bytes = buffer.length === SMALL_BYTES ? MEDIUM_BYTES : LARGE_BYTES;
    if (buffer.length === LARGE_BYTES || this.#lentBytes + bytes > MAX_LENT_BYTES) return undefined;
    this.#lentBytes += bytes;
    const spare = bytes === MEDIUM_BYTES ? this.#medium : this.#large;
    return spare.pop() ?? Buffer.allocUnsafeSlow(bytes);
  }

  giveBack(buffer: Uint8Array): void {
    if (buffer.length === SMALL_BYTES) {
      this.#small.giveBack(buffer);
      return;
    }
    this.#lentBytes -= buffer.length;
    const spare = buffer.length === MEDIUM_BYTES ? this.#medium : this.#large;
    if (spare.length * buffer.length < MAX_SPARE_BYTES) spare.push(buffer);
  }
}
