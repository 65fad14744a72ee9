import type { IEvent, IKeyValue } from 'etcd3';
import type { Clock } from '../base/clock.ts';
import { EtcdClient, type EtcdWatchEnd } from '../base/etcd-client.ts';
import type { KvEntry, KvEvent, LeaseKv } from '../overlay/lease-kv.ts';

/** An answer later than that is an error. */
const DEADLINE_MS = 5000;

/** Subnet leases in a real etcd (v3 API). Owns the client; nothing is dialled before the first call. */
export class EtcdLeaseKv implements LeaseKv, AsyncDisposable {
  readonly #client: EtcdClient;

  constructor(endpoints: readonly string[], clock: Clock) {
    this.#client = new EtcdClient({ endpoints, clock, timeoutMs: DEADLINE_MS });
  }

  async list(prefix: string): Promise<{ entries: KvEntry[]; revision: number }> {
    const { header, kvs } = await this.#client.call((etcd) => etcd.getAll().prefix(prefix).exec());
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
        : await this.#client.call(({ leaseClient }) =>
            leaseClient.leaseGrant({ TTL: ttlSeconds, ID: 0 }),
          );
    const { succeeded, header } = await this.#client.call((etcd) => {
      const put = etcd.put(key).value(value);
      return etcd
        .if(key, 'Mod', '==', expected)
        .then(lease === undefined ? put : put.lease(lease.ID))
        .commit();
    });
    if (succeeded) return { kind: 'written', revision: Number(header.revision) };
    if (lease !== undefined)
      await this.#client.call(({ leaseClient }) => leaseClient.leaseRevoke({ ID: lease.ID }));
    return { kind: 'conflict' };
  }

  async remove(key: string, expected: number): Promise<boolean> {
    const { succeeded } = await this.#client.call((etcd) =>
      etcd.if(key, 'Mod', '==', expected).then(etcd.delete().key(key)).commit(),
    );
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
    const done = new AbortController();
    let onEnd: (end: EtcdWatchEnd | undefined) => void = () => {};
    const ended = new Promise<EtcdWatchEnd | undefined>((resolve) => {
      onEnd = resolve;
      signal.addEventListener('abort', () => resolve(undefined), { signal: done.signal });
    });
    const watch = await this.#client.watch(prefix, after, {
      onEvents: (events) => {
        if (!signal.aborted && events.length > 0) onEvents(events.map(eventOf));
      },
      onEnd,
    });
    try {
      const end = await ended;
      if (end?.kind === 'lost') throw new Error(end.reason);
      return end === undefined ? 'aborted' : 'compacted';
    } finally {
      done.abort();
      watch.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    return Promise.resolve();
  }
}

function eventOf({ type, kv }: IEvent): KvEvent {
  return type === 'Delete'
    ? { type: 'delete', key: kv.key.toString() }
    : { type: 'put', entry: entryOf(kv) };
}

function entryOf({ key, value, mod_revision: modRevision, lease }: IKeyValue): KvEntry {
  return {
    key: key.toString(),
    value: value.toString(),
    modRevision: Number(modRevision),
    hasTtl: lease !== '0',
  };
}
