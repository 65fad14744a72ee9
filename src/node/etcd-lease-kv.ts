import { Etcd3, type IKeyValue, type Watcher } from 'etcd3';
import { errorMessage } from '../base/errors.ts';
import type { KvEntry, KvEvent, LeaseKv } from '../overlay/lease-kv.ts';

/** An answer later than that is an error. */
const DEADLINE_MS = 5000;

/** Subnet leases in a real etcd (v3 API). Owns the client; nothing is dialled before the first call. */
export class EtcdLeaseKv implements LeaseKv, AsyncDisposable {
  readonly #client: Etcd3;

  constructor(endpoints: readonly string[]) {
    this.#client = new Etcd3({ hosts: [...endpoints], dialTimeout: DEADLINE_MS });
  }

  async list(prefix: string): Promise<{ entries: KvEntry[]; revision: number }> {
    const { header, kvs } = await this.#client.getAll().prefix(prefix).exec();
    return { entries: kvs.map(entryOf), revision: Number(header.revision) };
  }

  async write(
    key: string,
    value: string,
    options: { readonly expected: number; readonly ttlSeconds: number | undefined },
  ): Promise<{ kind: 'written'; revision: number } | { kind: 'conflict' }> {
    const { expected, ttlSeconds } = options;
    // Not renewed by the client: an own write in time does, which also proves that the key is still ours.
    const lease =
      ttlSeconds === undefined
        ? undefined
        : await this.#client.leaseClient.leaseGrant({ TTL: ttlSeconds, ID: 0 });
    const put = this.#client.put(key).value(value);
    const { succeeded, header } = await this.#client
      .if(key, 'Mod', '==', expected)
      .then(lease === undefined ? put : put.lease(lease.ID))
      .commit();
    if (succeeded) return { kind: 'written', revision: Number(header.revision) };
    if (lease !== undefined) await this.#client.leaseClient.leaseRevoke({ ID: lease.ID });
    return { kind: 'conflict' };
  }

  async remove(key: string, expected: number): Promise<boolean> {
    const { succeeded } = await this.#client
      .if(key, 'Mod', '==', expected)
      .then(this.#client.delete().key(key))
      .commit();
    return succeeded;
  }

  async watch(
    prefix: string,
    options: {
      readonly after: number;
      readonly signal: AbortSignal;
      readonly onEvents: (events: readonly KvEvent[]) => void;
    },
  ): Promise<'aborted' | 'compacted'> {
    const { after, signal, onEvents } = options;
    if (signal.aborted) return 'aborted';
    const watcher = await this.#client
      .watch()
      .prefix(prefix)
      .startRevision(String(after + 1))
      .create();
    try {
      const outcome = outcomeOf(watcher, signal, onEvents);
      return (await this.#knows(prefix, after)) ? await outcome : 'compacted';
    } finally {
      // A watcher that is being reconnected refuses; the client's end takes it along.
      await watcher.cancel().catch(() => undefined);
    }
  }

  /** Asked because the client drops a refusal that comes right behind the creation of a watcher. */
  async #knows(prefix: string, revision: number): Promise<boolean> {
    try {
      await this.#client.getAll().prefix(prefix).revision(revision).limit(1).exec();
      return true;
    } catch (error) {
      if (errorMessage(error).includes('compacted')) return false;
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }
}

function outcomeOf(
  watcher: Watcher,
  signal: AbortSignal,
  onEvents: (events: readonly KvEvent[]) => void,
): Promise<'aborted' | 'compacted'> {
  return new Promise((resolve) => {
    watcher.on('data', ({ events }) => {
      if (!signal.aborted && events.length > 0)
        onEvents(
          events.map(({ type, kv }) =>
            type === 'Delete'
              ? { type: 'delete', key: kv.key.toString() }
              : { type: 'put', entry: entryOf(kv) },
          ),
        );
    });
    // etcd cancelled it: its history no longer reaches back so far. Of a lost connection the client takes care.
    watcher.on('error', () => resolve('compacted'));
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}

function entryOf({ key, value, mod_revision: modRevision, lease }: IKeyValue): KvEntry {
  return {
    key: key.toString(),
    value: value.toString(),
    modRevision: Number(modRevision),
    hasTtl: lease !== '0',
  };
}
