import type { KubeObject } from '../../api/types/meta.ts';
import { PodwireError } from '../../base/errors.ts';
import { ObjectState } from './object-state.ts';
import type {
  CommitOutcome,
  Store,
  StoreEvent,
  StoreKey,
  StoreWrite,
  WatchOutcome,
} from './store.ts';

/** Nothing survives the process. The default. */
export class MemoryStore implements Store {
  readonly #state: ObjectState;
  #closed = false;

  constructor(options: { readonly historyEvents?: number } = {}) {
    this.#state = new ObjectState(options);
  }

  get revision(): number {
    return this.#state.revision;
  }

  get(key: StoreKey): KubeObject | undefined {
    return this.#state.get(key);
  }

  list(resource: string, namePrefix?: string): readonly KubeObject[] {
    return this.#state.list(resource, namePrefix);
  }

  async commit(write: StoreWrite): Promise<CommitOutcome> {
    if (this.#closed) throw new PodwireError('store-failed', 'the store is closed');
    if (!this.#state.admits(write))
      return { kind: 'conflict', current: this.#state.get(write.key) };
    const revision = this.#state.revision + 1;
    const object = this.#state.apply(write.key, write.object, revision);
    if (object === undefined) return { kind: 'conflict', current: undefined };
    return { kind: 'committed', object, revision };
  }

  watch(
    resource: string,
    afterRevision: number,
    listener: (event: StoreEvent) => void,
  ): WatchOutcome {
    return this.#state.watch(resource, afterRevision, listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
