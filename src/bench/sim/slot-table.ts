/** Hands out small integers and takes them back; the last one back goes out first. */
export class SlotTable {
  #free = new Int32Array(1024);
  #freeCount = 0;
  #made = 0;

  /** How many slots were ever in use at once, which bounds their numbers. */
  get made(): number {
    return this.#made;
  }

  get inUse(): number {
    return this.#made - this.#freeCount;
  }

  take(): number {
    if (this.#freeCount === 0) return this.#made++;
    this.#freeCount -= 1;
    return this.#free[this.#freeCount] as number;
  }

  release(slot: number): void {
    if (this.#freeCount === this.#free.length) {
      const larger = new Int32Array(this.#free.length * 2);
      larger.set(this.#free);
      this.#free = larger;
    }
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
  }
}
