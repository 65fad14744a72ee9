import { seqAdd, seqBefore, seqDiff } from '../seq.ts';

/** Data beyond a hole: contiguous from `left` to `right`. */
interface Range {
  left: number;
  right: number;
  chunks: Uint8Array[];
  /** Grows with every arrival: SACK reports the latest first. */
  touchedAt: number;
}

/** The bytes a chunk may take up beyond its data: bounds what a flood of tiny segments can hold. */
const MIN_BYTES_PER_CHUNK = 256;

/** Read chunks are let go of in batches. */
const COMPACT_AFTER = 256;

/**
 * What the peer sent: in order for the application, out of order until the hole before it is filled.
 * Chunks are views of received packets, never copied. The first copy of a byte wins (RFC 9293 §3.10.7.4).
 */
export class ReceiveBuffer {
  readonly #maxChunks: number;
  #ready: Uint8Array[] = [];
  #readyHead = 0;
  #readyBytes = 0;
  #ranges: Range[] = [];
  #rangeChunks = 0;
  #arrivals = 0;

  constructor(maxBytes: number) {
    this.#maxChunks = Math.max(64, Math.ceil(maxBytes / MIN_BYTES_PER_CHUNK));
  }

  /** In order and not yet read. */
  get readyBytes(): number {
    return this.#readyBytes;
  }

  get hasGap(): boolean {
    return this.#ranges.length > 0;
  }

  /** Appends data that starts where the last ended. */
  append(chunk: Uint8Array): void {
    this.#ready.push(chunk);
    this.#readyBytes += chunk.length;
  }

  /** The next chunk, or undefined when there is none. */
  read(): Uint8Array | undefined {
    const chunk = this.#ready[this.#readyHead];
    if (chunk === undefined) return undefined;
    this.#readyHead += 1;
    this.#readyBytes -= chunk.length;
    if (this.#readyHead === this.#ready.length || this.#readyHead === COMPACT_AFTER) {
      this.#ready = this.#ready.slice(this.#readyHead);
      this.#readyHead = 0;
    }
    return chunk;
  }

  /** Keeps data beyond a hole. `full` when there are too many pieces, `duplicate` when all of it is here. */
  insert(seq: number, data: Uint8Array): 'kept' | 'duplicate' | 'full' {
    if (this.#rangeChunks >= this.#maxChunks) return 'full';
    this.#arrivals += 1;
    let left = seq;
    const right = seqAdd(seq, data.length);
    let isNew = false;
    for (let index = 0; index < this.#ranges.length && seqBefore(left, right); index += 1) {
      const range = this.#ranges[index] as Range;
      if (!seqBefore(left, range.right)) continue;
      if (seqBefore(left, range.left)) {
        const end = seqBefore(right, range.left) ? right : range.left;
        this.#place(left, data.subarray(seqDiff(left, seq), seqDiff(end, seq)));
        isNew = true;
        // The list changed: look again from the start for what comes after.
        left = end;
        index = -1;
        continue;
      }
      range.touchedAt = this.#arrivals;
      left = range.right;
    }
    if (seqBefore(left, right)) {
      this.#place(left, data.subarray(seqDiff(left, seq)));
      isNew = true;
    }
    return isNew ? 'kept' : 'duplicate';
  }

  /** Moves what follows `rcvNxt` without a hole to the application's side; returns the new RCV.NXT. */
  advance(rcvNxt: number): number {
    let next = rcvNxt;
    for (let range = this.#ranges[0]; range !== undefined; range = this.#ranges[0]) {
      if (seqBefore(next, range.left)) break;
      this.#ranges.shift();
      this.#rangeChunks -= range.chunks.length;
      let at = range.left;
      for (const chunk of range.chunks) {
        const end = seqAdd(at, chunk.length);
        const skip = Math.max(0, seqDiff(next, at));
        if (skip < chunk.length) {
          this.append(skip === 0 ? chunk : chunk.subarray(skip));
          next = end;
        }
        at = end;
      }
    }
    return next;
  }

  /** RFC 2018 §4: writes up to `maxBlocks` edges, the latest arrival first. Returns how many blocks. */
  sackBlocks(edges: Uint32Array, from: number, maxBlocks: number): number {
    let count = 0;
    let below = Number.POSITIVE_INFINITY;
    while (count < maxBlocks) {
      let latest: Range | undefined;
      for (const range of this.#ranges)
        if (range.touchedAt < below && range.touchedAt > (latest?.touchedAt ?? -1)) latest = range;
      if (latest === undefined) break;
      below = latest.touchedAt;
      edges[2 * (from + count)] = latest.left;
      edges[2 * (from + count) + 1] = latest.right;
      count += 1;
    }
    return count;
  }

  release(): void {
    this.#ready = [];
    this.#readyHead = 0;
    this.#readyBytes = 0;
    this.#ranges = [];
    this.#rangeChunks = 0;
  }

  /** Puts a piece that overlaps no range where it belongs, joining its neighbours. */
  #place(left: number, chunk: Uint8Array): void {
    const right = seqAdd(left, chunk.length);
    let index = this.#ranges.length;
    while (index > 0 && seqBefore(left, (this.#ranges[index - 1] as Range).left)) index -= 1;
    const before = this.#ranges[index - 1];
    const after = this.#ranges[index];
    this.#rangeChunks += 1;
    const touchedAt = this.#arrivals;
    if (before?.right === left) {
      before.chunks.push(chunk);
      before.right = right;
      before.touchedAt = touchedAt;
      if (after?.left === right) {
        for (const later of after.chunks) before.chunks.push(later);
        before.right = after.right;
        this.#ranges.splice(index, 1);
      }
    } else if (after?.left === right) {
      after.chunks.unshift(chunk);
      after.left = left;
      after.touchedAt = touchedAt;
    } else this.#ranges.splice(index, 0, { left, right, chunks: [chunk], touchedAt });
  }
}
