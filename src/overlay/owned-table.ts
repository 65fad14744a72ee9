/** Who put an entry there, and in which reconcile it last changed. */
export interface Ownership {
  /** The node whose lease asked for it. */
  readonly owner: string;
  readonly generation: number;
}

/** What a reconcile did to a table. */
export interface TableChanges<Entry> {
  readonly added: readonly Entry[];
  readonly replaced: readonly Entry[];
  readonly removed: readonly Entry[];
}

/**
 * Entries by key, each with its owner. {@link reconcile} takes the complete wanted set, so that nothing survives
 * whose owner is gone, whatever event was missed (flannel issues 2554 and 1788).
 */
export class OwnedTable<Key, Entry extends { readonly owner: string }> {
  readonly #keyOf: (entry: Entry) => Key;
  readonly #isEqual: (a: Entry, b: Entry) => boolean;
  #entries: ReadonlyMap<Key, Entry & Ownership> = new Map();

  constructor(keyOf: (entry: Entry) => Key, isEqual: (a: Entry, b: Entry) => boolean) {
    this.#keyOf = keyOf;
    this.#isEqual = isEqual;
  }

  /** A snapshot: the next reconcile makes another. */
  get entries(): ReadonlyMap<Key, Entry & Ownership> {
    return this.#entries;
  }

  /** Makes the table equal to `wanted`; of two with one key, the first stays. */
  reconcile(wanted: Iterable<Entry>, generation: number): TableChanges<Entry> {
    const before = this.#entries;
    const after = new Map<Key, Entry & Ownership>();
    const added: Entry[] = [];
    const replaced: Entry[] = [];
    for (const entry of wanted) {
      const key = this.#keyOf(entry);
      if (after.has(key)) continue;
      const old = before.get(key);
      const isKept = old !== undefined && old.owner === entry.owner && this.#isEqual(old, entry);
      after.set(key, isKept ? old : { ...entry, generation });
      if (old === undefined) added.push(entry);
      else if (!isKept) replaced.push(entry);
    }
    const removed = [...before].filter(([key]) => !after.has(key)).map(([, entry]) => entry);
    this.#entries = after;
    return { added, replaced, removed };
  }
}
