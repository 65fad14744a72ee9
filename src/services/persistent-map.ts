type Bucket<K, V> = ReadonlyMap<K, V>;

/** A power of two: one change copies this many pointers and one bucket. */
const BUCKET_COUNT = 1024;

/** What {@link PersistentMap.edit} hands out. Valid only until the edit returns. */
export interface MapDraft<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
}

/** One key whose value differs between two maps. */
export interface MapDifference<K, V> {
  readonly key: K;
  readonly before: V | undefined;
  readonly after: V | undefined;
}

/**
 * An immutable hash map whose successors share all but the touched buckets. Lookups cost one hash and one
 * Map lookup; an edit costs the bucket table plus what it touches, however large the map is.
 */
export class PersistentMap<K extends string | number, V> implements Iterable<[K, V]> {
  readonly size: number;
  readonly #buckets: readonly (Bucket<K, V> | undefined)[];

  private constructor(buckets: readonly (Bucket<K, V> | undefined)[], size: number) {
    this.#buckets = buckets;
    this.size = size;
  }

  static empty<K extends string | number, V>(): PersistentMap<K, V> {
    return new PersistentMap<K, V>(new Array<undefined>(BUCKET_COUNT).fill(undefined), 0);
  }

  get(key: K): V | undefined {
    return this.#buckets[bucketIndex(key)]?.get(key);
  }

  /** @yields {[K, V]} Entries in no order that means anything, but the same one for the same history. */
  *[Symbol.iterator](): Iterator<[K, V]> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket;
  }

  *values(): IterableIterator<V> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.values();
  }

  /** The map after `change`; this one stays as it is. */
  edit(change: (draft: MapDraft<K, V>) => void): PersistentMap<K, V> {
    const buckets = [...this.#buckets];
    const owned = new Set<number>();
    let size = this.size;
    const own = (index: number): Map<K, V> => {
      const held = buckets[index];
      if (owned.has(index)) return held as Map<K, V>;
      const copy = new Map(held);
      owned.add(index);
      buckets[index] = copy;
      return copy;
    };
    change({
      get: (key) => buckets[bucketIndex(key)]?.get(key),
      set: (key, value) => {
        const bucket = own(bucketIndex(key));
        const before = bucket.size;
        bucket.set(key, value);
        size += bucket.size - before;
      },
      delete: (key) => {
        const index = bucketIndex(key);
        if (buckets[index]?.has(key) !== true) return;
        own(index).delete(key);
        size -= 1;
      },
    });
    return owned.size === 0 ? this : new PersistentMap(buckets, size);
  }

  /**
   * Costs what changed, thanks to the shared buckets.
   *
   * @yields {MapDifference} Every key whose value is another one in `after`.
   */
  *differences(after: PersistentMap<K, V>): IterableIterator<MapDifference<K, V>> {
    for (let index = 0; index < BUCKET_COUNT; index += 1) {
      const old = this.#buckets[index];
      const fresh = after.#buckets[index];
      if (old === fresh) continue;
      for (const [key, before] of old ?? [])
        if (fresh?.get(key) !== before) yield { key, before, after: fresh?.get(key) };
      for (const [key, value] of fresh ?? [])
        if (old?.has(key) !== true) yield { key, before: undefined, after: value };
    }
  }
}

/** FNV-1a over UTF-16 code units, or Fibonacci hashing for numbers. */
function bucketIndex(key: string | number): number {
  if (typeof key === 'number') return Math.imul(key, 0x9e37_79b1) >>> 22;
  let hash = 0x811c_9dc5;
  for (let index = 0; index < key.length; index += 1)
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x0100_0193);
  return (hash ^ (hash >>> 15)) & (BUCKET_COUNT - 1);
}
