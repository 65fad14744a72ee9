/** One allocation cut into pieces of one size. */
interface Slab {
  readonly memory: ArrayBufferLike;
  readonly free: Uint8Array[];
}

export interface SlabPoolOptions {
  readonly pieceBytes: number;
  readonly slabBytes: number;
  /** Slabs without a piece on loan that are kept for later; more are left to the garbage collector. */
  readonly maxSpareSlabs: number;
}

/**
 * Many small buffers out of few allocations. One slab is used up before the next is touched, so that slabs become free as
 * loans end, and memory goes back when a crowd has left.
 */
export class SlabPool {
  readonly #options: SlabPoolOptions;
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  /** Those with pieces to lend, the current one among them. */
  readonly #available = new Set<Slab>();
  #current: Slab | undefined;
  #spareSlabs = 0;

  constructor(options: SlabPoolOptions) {
    this.#options = options;
  }

  /** Allocations held, lent or not. */
  get slabs(): number {
    return this.#slabs.size;
  }

  take(): Uint8Array {
    const slab = this.#current ?? this.#nextSlab();
    if (slab.free.length === this.#pieces) this.#spareSlabs -= 1;
    const piece = slab.free.pop() as Uint8Array;
    if (slab.free.length === 0) {
      this.#available.delete(slab);
      this.#current = undefined;
    }
    return piece;
  }

  /** Of a piece that `take` gave; once. */
  giveBack(piece: Uint8Array): void {
    const slab = this.#slabs.get(piece.buffer);
    if (slab === undefined) return;
    if (slab.free.length === 0) this.#available.add(slab);
    slab.free.push(piece);
    if (slab.free.length < this.#pieces) return;
    this.#spareSlabs += 1;
    if (this.#spareSlabs > this.#options.maxSpareSlabs) this.#drop(slab);
  }

  get #pieces(): number {
    return this.#options.slabBytes / this.#options.pieceBytes;
  }

  #nextSlab(): Slab {
    const [slab = this.#cut()] = this.#available;
    this.#current = slab;
    return slab;
  }

  #cut(): Slab {
    const { pieceBytes, slabBytes } = this.#options;
    const memory = Buffer.allocUnsafeSlow(slabBytes);
    const free: Uint8Array[] = [];
    for (let at = 0; at < slabBytes; at += pieceBytes)
      free.push(memory.subarray(at, at + pieceBytes));
    const slab = { memory: memory.buffer, free };
    this.#slabs.set(slab.memory, slab);
    this.#available.add(slab);
    this.#spareSlabs += 1;
    return slab;
  }

  #drop(slab: Slab): void {
    this.#slabs.delete(slab.memory);
    this.#available.delete(slab);
    this.#spareSlabs -= 1;
    if (this.#current === slab) this.#current = undefined;
  }
}
