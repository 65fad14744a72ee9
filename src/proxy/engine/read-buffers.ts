/** Holds a request or its answer; every connection has two. */
export const SMALL_BYTES = 4096;
const MEDIUM_BYTES = 65_536;
/** Fewer wake-ups: two thirds of the cost of a MiB at 128 KiB (docs/forwarding.md). */
const LARGE_BYTES = 1_048_576;

/** Small buffers are cut from slabs: one allocation for so many connections. */
const SLAB_BYTES = 1 << 20;
/** Buffers kept for later, a size; more are left to the garbage collector. */
const MAX_SPARE_BYTES = 32 << 20;
/** Medium and large buffers lent at one time; beyond it, bulk transfers stay with what they have. */
const MAX_LENT_BYTES = 128 << 20;

/**
 * Read buffers in three sizes, lent to one direction of one connection at a time. Taken back only when nothing
 * of the connection can touch them any more.
 */
export class ReadBuffers {
  readonly #small: Uint8Array[] = [];
  readonly #medium: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];
  #lentBytes = 0;

  small(): Uint8Array {
    if (this.#small.length === 0) this.#cutSlab();
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
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
    if (buffer.length !== SMALL_BYTES) this.#lentBytes -= buffer.length;
    const spare = this.#spareOf(buffer);
    if (spare.length * buffer.length < MAX_SPARE_BYTES) spare.push(buffer);
  }

  #spareOf(buffer: Uint8Array): Uint8Array[] {
    if (buffer.length === SMALL_BYTES) return this.#small;
    return buffer.length === MEDIUM_BYTES ? this.#medium : this.#large;
  }

  #cutSlab(): void {
    const slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    for (let at = 0; at < SLAB_BYTES; at += SMALL_BYTES)
      this.#small.push(slab.subarray(at, at + SMALL_BYTES));
  }
}
