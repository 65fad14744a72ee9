/**
 * Several allocations that stand or fall together, for example the addresses and ports of one Service. What is
 * allocated in it is taken at once, so that no other request gets it; {@link rollback} gives it back. What is
 * released in it stays taken until {@link commit}, so that a failed update has lost nothing. A dry run allocates
 * and rolls back.
 */
export class AllocationTransaction {
  readonly #undo: (() => void)[] = [];
  readonly #releases: (() => void)[] = [];
  #finished = false;

  /** `undo` gives back what was just taken. */
  taken(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** `release` runs on commit. */
  releaseOnCommit(release: () => void): void {
    this.#releases.push(release);
  }

  /** Keeps what was taken, releases what was to be released. Only the first ending counts. */
  commit(): void {
    this.#finish(this.#releases);
  }

  /** Gives back what was taken, newest first. Only the first ending counts, so it is safe in `finally`. */
  rollback(): void {
    this.#finish(this.#undo.toReversed());
  }

  #finish(steps: readonly (() => void)[]): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const step of steps) step();
  }
}
