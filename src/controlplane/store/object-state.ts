import { deepFreeze } from '../../api/json.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import {
  revisionOf,
  type StoreEvent,
  type StoreKey,
  type StoreWrite,
  type WatchOutcome,
} from './store.ts';

/** How many changes of one resource a late watcher can catch up on, unless configured. */
export const DEFAULT_HISTORY_EVENTS = 4096;

type Listener = (event: StoreEvent) => void;

interface Bucket {
  readonly objects: Map<string, KubeObject>;
  /** Names in order; undefined while it must be made anew. */
  names: string[] | undefined;
  readonly history: StoreEvent[];
  /** Watches may start at this revision or later. */
  oldest: number;
  readonly listeners: Set<Listener>;
}

/**
 * The objects, the recent changes and the watchers of a store, in memory. Every store implementation feeds
 * one of these with changes that are already durable, in the order of revisions.
 */
export class ObjectState {
  readonly #buckets = new Map<string, Bucket>();
  readonly #historyEvents: number;
  #revision: number;
  #origin: number;

  constructor(options: { readonly historyEvents?: number; readonly revision?: number } = {}) {
    this.#historyEvents = options.historyEvents ?? DEFAULT_HISTORY_EVENTS;
    this.#revision = options.revision ?? 0;
    this.#origin = this.#revision;
  }

  get revision(): number {
    return this.#revision;
  }

  /**
   * For a snapshot.
   *
   * @yields every object
   */
  *entries(): IterableIterator<{ readonly key: StoreKey; readonly object: KubeObject }> {
    for (const [resource, bucket] of this.#buckets)
      for (const [name, object] of bucket.objects) yield { key: { resource, name }, object };
  }

  get({ resource, name }: StoreKey): KubeObject | undefined {
    return this.#buckets.get(resource)?.objects.get(name);
  }

  list(resource: string, namePrefix = ''): readonly KubeObject[] {
    const bucket = this.#buckets.get(resource);
    if (bucket === undefined) return [];
    bucket.names ??= [...bucket.objects.keys()].toSorted();
    const found: KubeObject[] = [];
    for (
      let index = lowerBound(bucket.names, namePrefix);
      bucket.names[index]?.startsWith(namePrefix) === true;
      index += 1
    ) {
      const object = bucket.objects.get(bucket.names[index] ?? '');
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  /** True when the write's expectation holds against what is stored. */
  admits(write: StoreWrite): boolean {
    const current = this.get(write.key);
    return (current === undefined ? 0 : revisionOf(current)) === write.expected;
  }

  /** Puts an object in place without telling anyone: for loading, before watchers exist. */
  load(key: StoreKey, object: KubeObject, revision: number): void {
    const bucket = this.#bucket(key.resource);
    bucket.objects.set(key.name, stamp(object, revision));
    bucket.names = undefined;
  }

  /** Takes an object away again, while loading. */
  unload(key: StoreKey): void {
    const bucket = this.#bucket(key.resource);
    bucket.objects.delete(key.name);
    bucket.names = undefined;
  }

  /** Ends loading: watches may start at `revision`, not before. */
  loaded(revision: number): void {
    this.#revision = revision;
    this.#origin = revision;
    for (const bucket of this.#buckets.values()) bucket.oldest = revision;
  }

  /** Applies a change and tells the watchers. Returns the object as stored; for a delete its last state. */
  apply(key: StoreKey, object: KubeObject | undefined, revision: number): KubeObject | undefined {
    this.#revision = Math.max(this.#revision, revision);
    const bucket = this.#bucket(key.resource);
    const previous = bucket.objects.get(key.name);
    if (object === undefined) {
      if (previous === undefined) return undefined;
      bucket.objects.delete(key.name);
      bucket.names = undefined;
      const last = stamp(previous, revision);
      this.#publish(bucket, { type: 'delete', revision, key, object: last, previous });
      return last;
    }
    const stored = stamp(object, revision);
    bucket.objects.set(key.name, stored);
    if (previous === undefined) bucket.names = undefined;
    this.#publish(bucket, { type: 'put', revision, key, object: stored, previous });
    return stored;
  }

  /** Changes elsewhere moved the revision on. */
  advanceTo(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
  }

  watch(resource: string, afterRevision: number, listener: Listener): WatchOutcome {
    const bucket = this.#bucket(resource);
    if (afterRevision < bucket.oldest || afterRevision > this.#revision)
      return { kind: 'expired', oldest: bucket.oldest };
    for (const event of bucket.history) if (event.revision > afterRevision) listener(event);
    bucket.listeners.add(listener);
    return { kind: 'watching', stop: () => bucket.listeners.delete(listener) };
  }

  #publish(bucket: Bucket, event: StoreEvent): void {
    bucket.history.push(event);
    // Cut in halves, so that the cost of moving the rest is spread over many changes.
    if (bucket.history.length > this.#historyEvents * 2) {
      const cut = bucket.history.length - this.#historyEvents;
      bucket.oldest = bucket.history[cut - 1]?.revision ?? bucket.oldest;
      bucket.history.splice(0, cut);
    }
    for (const listener of bucket.listeners) listener(event);
  }

  #bucket(resource: string): Bucket {
    let bucket = this.#buckets.get(resource);
    if (bucket === undefined) {
      bucket = {
        objects: new Map(),
        names: undefined,
        history: [],
        oldest: this.#origin,
        listeners: new Set(),
      };
      this.#buckets.set(resource, bucket);
    }
    return bucket;
  }
}

function stamp(object: KubeObject, revision: number): KubeObject {
  return deepFreeze({
    ...object,
    metadata: { ...object.metadata, resourceVersion: String(revision) },
  });
}

function lowerBound(names: readonly string[], prefix: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((names[middle] ?? '') < prefix) low = middle + 1;
    else high = middle;
  }
  return low;
}
