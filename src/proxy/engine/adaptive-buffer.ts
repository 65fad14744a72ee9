import { type ReadBuffers, SMALL_BYTES } from './read-buffers.ts';

/** Full reads in a row that make a direction bulk, and worth a larger buffer. */
const FULL_READS_TO_GROW = 2;
/** Reads in a row that a small buffer would have held: the larger one goes back. */
const SMALL_READS_TO_SHRINK = 32;

/**
 * What one direction of a connection reads into: small until reads fill it, large while they do. Holds a loan from the
 * pool until `release`.
 */
export class AdaptiveBuffer {
  readonly #buffers: ReadBuffers;
  #bytes: Uint8Array;
  /** The latest chunk: dialogues tend to repeat their sizes. */
  #chunk: Uint8Array | undefined;
  #fullReads = 0;
  #smallReads = 0;

  constructor(buffers: ReadBuffers) {
    this.#buffers = buffers;
    this.#bytes = buffers.small();
  }

  /** Where the next read goes. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** What a read of `length` bytes has brought. */
  chunk(length: number): Uint8Array {
    if (this.#chunk?.length !== length)
      this.#chunk = length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, length);
    return this.#chunk;
  }

  /** Once the chunk of so many bytes is done with. True: `bytes` is another one now. */
  taken(length: number): boolean {
    const bytes = this.#bytes;
    if (length === bytes.length) {
      this.#smallReads = 0;
      this.#fullReads += 1;
      if (this.#fullReads < FULL_READS_TO_GROW) return false;
      return this.#exchange(bytes, this.#buffers.larger(bytes));
    }
    this.#fullReads = 0;
    if (bytes.length === SMALL_BYTES) return false;
    this.#smallReads = length < SMALL_BYTES ? this.#smallReads + 1 : 0;
    if (this.#smallReads < SMALL_READS_TO_SHRINK) return false;
    return this.#exchange(bytes, this.#buffers.small());
  }

  /** Ends the loan. Nothing of the connection may touch the memory any more. */
  release(): void {
    this.#buffers.giveBack(this.#bytes);
  }

  #exchange(bytes: Uint8Array, next: Uint8Array | undefined): boolean {
    this.#fullReads = 0;
    this.#smallReads = 0;
    if (next === undefined) return false;
    this.#buffers.giveBack(bytes);
    this.#bytes = next;
    this.#chunk = undefined;
    return true;
  }
}
