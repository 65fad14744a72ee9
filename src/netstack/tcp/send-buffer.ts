/** Room for a request. */
const FIRST_BYTES = 2 * 1024;

/** What the application wrote and the peer has not acknowledged: a ring that grows to its maximum. */
export class SendBuffer {
  readonly #maxBytes: number;
  #ring = new Uint8Array(0);
  #head = 0;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  get freeBytes(): number {
    return this.#maxBytes - this.#length;
  }

  /** Memory held, also while empty. */
  get capacityBytes(): number {
    return this.#ring.length;
  }

  /** Copies as much as fits and returns how much that was. */
  write(data: Uint8Array): number {
    const accepted = Math.min(data.length, this.freeBytes);
    if (accepted === 0) return 0;
    if (this.#length + accepted > this.#ring.length) this.#grow(this.#length + accepted);
    const at = this.#wrap(this.#head + this.#length);
    const first = Math.min(accepted, this.#ring.length - at);
    this.#ring.set(first === data.length ? data : data.subarray(0, first), at);
    if (accepted > first) this.#ring.set(data.subarray(first, accepted), 0);
    this.#length += accepted;
    return accepted;
  }

  /** Copies `length` bytes that start `offset` behind the first unacknowledged one. */
  copy(offset: number, length: number, target: Uint8Array, at: number): void {
    const from = this.#wrap(this.#head + offset);
    const first = Math.min(length, this.#ring.length - from);
    target.set(this.#ring.subarray(from, from + first), at);
    if (length > first) target.set(this.#ring.subarray(0, length - first), at + first);
  }

  /** Forgets the first `bytes`: they were acknowledged. */
  acknowledge(bytes: number): void {
    this.#head = this.#wrap(this.#head + bytes);
    this.#length -= bytes;
  }

  release(): void {
    this.#ring = new Uint8Array(0);
    this.#head = 0;
    this.#length = 0;
  }

  #wrap(position: number): number {
    return position >= this.#ring.length ? position - this.#ring.length : position;
  }

  #grow(needed: number): void {
    let capacity = Math.max(this.#ring.length, FIRST_BYTES);
    while (capacity < needed) capacity *= 2;
    const ring = new Uint8Array(Buffer.allocUnsafeSlow(Math.min(capacity, this.#maxBytes)).buffer);
    if (this.#length > 0) this.copy(0, this.#length, ring, 0);
    this.#ring = ring;
    this.#head = 0;
  }
}
