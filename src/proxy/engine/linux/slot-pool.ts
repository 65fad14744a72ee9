/** Hands out the slots of connections, recently used ones first: their memory is warm. */
export class SlotPool {
  readonly #most: number;
  readonly #isPending: (slot: number) => boolean;
  readonly #free: number[] = [];
  /** Given up, oldest first from `#leavingFrom`; the main thread may not have heard of it yet. */
  #leaving: number[] = [];
  #leavingFrom = 0;
  #used = 0;

  constructor(most: number, isPending: (slot: number) => boolean) {
    this.#most = most;
    this.#isPending = isPending;
  }

  /** Undefined: all are in use. */
  take(): number | undefined {
    this.#reclaim();
    const free = this.#free.pop();
    if (free !== undefined || this.#used === this.#most) return free;
    this.#used += 1;
    return this.#used - 1;
  }

  /** Free at once. */
  putBack(slot: number): void {
    this.#free.push(slot);
  }

  /** Free as soon as no message on it is under way, in either direction. */
  giveUp(slot: number): void {
    this.#leaving.push(slot);
  }

  #reclaim(): void {
    for (;;) {
      const slot = this.#leaving[this.#leavingFrom];
      if (slot === undefined || this.#isPending(slot)) break;
      this.#leavingFrom += 1;
      this.#free.push(slot);
    }
    if (this.#leavingFrom <= this.#leaving.length >> 1) return;
    this.#leaving = this.#leaving.slice(this.#leavingFrom);
    this.#leavingFrom = 0;
  }
}
