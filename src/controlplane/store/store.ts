import type { KubeObject } from '../../api/types/meta.ts';
import type { Resource } from '../../base/lifetime.ts';

/** `{ resource: 'services/specs', name: 'default/web' }` is `/registry/services/specs/default/web`. */
export interface StoreKey {
  readonly resource: string;
  /** `namespace/name`, or the name alone of a cluster-scoped object. */
  readonly name: string;
}

/**
 * One change, compare-and-swap: it takes place only if the stored object has revision `expected`
 * (0: there is none).
 */
export interface StoreWrite {
  readonly key: StoreKey;
  readonly expected: number;
  /** Its resourceVersion is set by the store. Absent: the object is deleted. */
  readonly object: KubeObject | undefined;
}

export type CommitOutcome =
  /** Durable, as far as the store promises that, and visible to every reader and watcher. */
  | {
      readonly kind: 'committed';
      /** As stored; for a delete the last state, carrying the revision of the deletion. */
      readonly object: KubeObject;
      readonly revision: number;
    }
  | { readonly kind: 'conflict'; readonly current: KubeObject | undefined };

/** A change as watchers see it, in the order of revisions. */
export type StoreEvent =
  | {
      readonly type: 'put';
      readonly revision: number;
      readonly key: StoreKey;
      readonly object: KubeObject;
      readonly previous: KubeObject | undefined;
    }
  | {
      readonly type: 'delete';
      readonly revision: number;
      readonly key: StoreKey;
      /** The last state, carrying the revision of the deletion. */
      readonly object: KubeObject;
      readonly previous: KubeObject;
    };

export type WatchOutcome =
  | { readonly kind: 'watching'; stop(): void }
  /** The history does not reach back to `afterRevision`, which is older than `oldest` (or not yet reached). */
  | { readonly kind: 'expired'; readonly oldest: number };

/**
 * Where the control plane keeps its objects. Every implementation holds all of them in memory, frozen and
 * shared, so that reads are synchronous; they differ in what a commit survives. One counter, the revision,
 * orders all changes; an object's resourceVersion is the revision of its last change.
 */
export interface Store extends Resource {
  /** Of the newest visible change. */
  readonly revision: number;
  get(key: StoreKey): KubeObject | undefined;
  /** In the order of names; `namePrefix` is `namespace/` or empty. */
  list(resource: string, namePrefix?: string): readonly KubeObject[];
  /** Rejects with a PodwireError (`store-failed`) when the outcome is unknown, and after `close`. */
  commit(write: StoreWrite): Promise<CommitOutcome>;
  /** Calls `listener`, synchronously and in order, for every change after `afterRevision`. */
  watch(
    resource: string,
    afterRevision: number,
    listener: (event: StoreEvent) => void,
  ): WatchOutcome;
}

/** The revision an object was read at. */
export function revisionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion ?? 0);
}
