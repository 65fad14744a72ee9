/** A key as stored. */
export interface KvEntry {
  readonly key: string;
  readonly value: string;
  /** The store's revision at which the key was last written: proof of who wrote last. */
  readonly modRevision: number;
  /** False: stays until somebody deletes it, which for flannel is a reservation. */
  readonly hasTtl: boolean;
}

export type KvEvent =
  | { readonly type: 'put'; readonly entry: KvEntry }
  | { readonly type: 'delete'; readonly key: string };

/** As much of etcd as leases need. Errors of the connection reject; losing a race is an outcome. */
export interface LeaseKv {
  /** Keys that start with `prefix`, and the revision at which that was so. */
  list(
    prefix: string,
  ): Promise<{ readonly entries: readonly KvEntry[]; readonly revision: number }>;
  /** Writes if the key was last written at revision `expected`; 0: if there is none. */
  write(
    key: string,
    value: string,
    options: { readonly expected: number; readonly ttlSeconds: number | undefined },
  ): Promise<
    { readonly kind: 'written'; readonly revision: number } | { readonly kind: 'conflict' }
  >;
  /** Deletes if the key was last written at revision `expected`. False when it was not. */
  remove(key: string, expected: number): Promise<boolean>;
  /**
   * Calls `onEvents` with the changes under `prefix` after revision `after`, in order, until the signal aborts.
   * `compacted`: the store no longer knows them all; list again.
   */
  watch(
    prefix: string,
    options: {
      readonly after: number;
      readonly signal: AbortSignal;
      readonly onEvents: (events: readonly KvEvent[]) => void;
    },
  ): Promise<'aborted' | 'compacted'>;
}
