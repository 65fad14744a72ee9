import type { KubeObject } from '../api/types/meta.ts';

/**
 * Objects as they are now, and their changes: what the parts of a node need of an informer. Handlers are
 * called synchronously, in the order of the changes.
 */
export interface ObjectFeed<T extends KubeObject> {
  /** Resolves after the first list is in; never rejects. */
  readonly synced: Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  list(): readonly T[];
  /**
   * Calls `handler` for every object known now (previous undefined) and for every change from now on
   * (current undefined: deleted), until the returned function is called.
   */
  subscribe(handler: (current: T | undefined, previous: T | undefined) => void): () => void;
}
