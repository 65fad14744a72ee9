const SLOTS = 1 << 14;

/**
 * Change counters by key, hashed into a fixed table so that asking for names which do not exist costs no
 * memory. Two keys in one slot invalidate each other's answers: a recomputation, never a wrong answer.
 */
export class Stamps {
  static #changes = 0;
  readonly #counters = new Uint32Array(SLOTS);

  /** Bumps of all tables together: while it stands still, nothing has changed under any key. */
  static get changes(): number {
    return Stamps.#changes;
  }

  slotOf(key: string): number {
    let hash = 0x811c_9dc5;
    for (let index = 0; index < key.length; index += 1)
      hash = Math.imul(hash ^ key.charCodeAt(index), 0x0100_0193);
    return (hash ^ (hash >>> 15)) & (SLOTS - 1);
  }

  at(slot: number): number {
    return this.#counters[slot] ?? 0;
  }

  bump(key: string): void {
    const slot = this.slotOf(key);
    Stamps.#changes += 1;
    this.#counters[slot] = (this.#counters[slot] ?? 0) + 1;
  }

  bumpAll(): void {
    Stamps.#changes += 1;
    for (let slot = 0; slot < SLOTS; slot += 1)
      this.#counters[slot] = (this.#counters[slot] ?? 0) + 1;
  }
}
