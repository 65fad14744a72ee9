import type { IEvent } from 'etcd3';
import { isJsonObject } from '../../api/json.ts';
import { KINDS } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import { type Clock, sleep, type Timer } from '../../base/clock.ts';
import { errorMessage, PodwireError } from '../../base/errors.ts';
import { EtcdClient, type EtcdWatch } from '../../base/etcd-client.ts';
import { Lifetime } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import { ObjectState } from './object-state.ts';
import type {
  CommitOutcome,
  Store,
  StoreEvent,
  StoreKey,
  StoreWrite,
  WatchOutcome,
} from './store.ts';

export interface EtcdStoreOptions {
  /** `http://127.0.0.1:2379`. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly historyEvents?: number;
}

const ROOT = '/registry/';
/** How long etcd may take before a commit counts as failed; whether it happened is then not known. */
const CALL_TIMEOUT_MS = 10_000;
/** A write that etcd has acknowledged and our watch has not shown for so long: the watch is lost. */
const OVERDUE_MS = 2_000;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;

/**
 * etcd, with the keys Kubernetes uses and JSON values. Every change is an etcd transaction; what is read and
 * watched here follows etcd's own watch, so that changes by others are seen too. Owns the connection.
 */
export class EtcdStore implements Store {
  readonly #options: EtcdStoreOptions;
  readonly #client: EtcdClient;
  readonly #state: ObjectState;
  readonly #lifetime = new Lifetime('etcd store');
  readonly #waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  #watch: EtcdWatch | undefined;
  #overdue: Timer | undefined;
  #resyncing: Promise<void> | undefined;

  private constructor(options: EtcdStoreOptions, client: EtcdClient) {
    this.#options = options;
    this.#client = client;
    this.#state = new ObjectState(options);
    this.#lifetime.defer(async () => {
      this.#overdue?.cancel();
      client[Symbol.dispose]();
      for (const { resolve } of this.#waiting) resolve();
      await this.#resyncing;
    });
  }

  /** Reads what is there. Throws a PodwireError (`store-failed`) when etcd cannot be reached. */
  static async open(options: EtcdStoreOptions): Promise<EtcdStore> {
    const { endpoints, clock } = options;
    const client = new EtcdClient({ endpoints, clock, timeoutMs: CALL_TIMEOUT_MS });
    const store = new EtcdStore(options, client);
    try {
      const { objects, revision } = await store.#readAll();
      for (const { key, object, modRevision } of objects)
        store.#state.load(key, object, modRevision);
      store.#state.loaded(revision);
      await store.#follow();
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw new PodwireError(
        'store-failed',
        `cannot use etcd at ${endpoints.join(', ')}: ${errorMessage(error)}`,
        { cause: error },
      );
    }
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

  watch(
    resource: string,
    afterRevision: number,
    listener: (event: StoreEvent) => void,
  ): WatchOutcome {
    return this.#state.watch(resource, afterRevision, listener);
  }

  async commit(write: StoreWrite): Promise<CommitOutcome> {
    if (this.#lifetime.ended) throw new PodwireError('store-failed', 'the store is closed');
    const previous = this.#state.get(write.key);
    const { succeeded, revision } = await this.#transact(write);
    if (!succeeded) {
      // Somebody else wrote it: what they wrote is on its way to us.
      await this.#seen(revision);
      return { kind: 'conflict', current: this.#state.get(write.key) };
    }
    await this.#seen(revision);
    const object = write.object ?? previous;
    if (object === undefined) return { kind: 'conflict', current: undefined };
    return { kind: 'committed', object: stamped(object, revision), revision };
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #transact(write: StoreWrite): Promise<{ succeeded: boolean; revision: number }> {
    const key = etcdKey(write.key);
    if (write.object === undefined && write.expected === 0)
      return { succeeded: false, revision: this.#state.revision };
    const value = write.object && JSON.stringify(write.object);
    try {
      const { succeeded, header } = await this.#client.call((etcd) =>
        etcd
          .if(key, 'Mod', '==', write.expected)
          .then(value === undefined ? etcd.delete().key(key) : etcd.put(key).value(value))
          .commit(),
      );
      return { succeeded, revision: succeeded ? Number(header.revision) : this.#state.revision };
    } catch (error) {
      throw new PodwireError('store-failed', `etcd: ${errorMessage(error)}`, { cause: error });
    }
  }

  /** Resolves when our watch has delivered this revision, or the store has ended. */
  #seen(revision: number): Promise<void> {
    if (revision <= this.#state.revision || this.#lifetime.ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add({ revision, resolve });
      this.#expect();
    });
  }

  /** A watch can stay silent without an end being told, as when packets are lost; then everything is read again. */
  #expect(): void {
    this.#overdue ??= this.#options.clock.setTimer(OVERDUE_MS, () => {
      this.#overdue = undefined;
      if (this.#waiting.size === 0) return;
      this.#startResync('what was written does not come back');
      this.#expect();
    });
  }

  async #readAll(): Promise<Snapshot> {
    const response = await this.#client.call((etcd) => etcd.getAll().prefix(ROOT).exec());
    return {
      objects: response.kvs.flatMap(({ key, value, mod_revision: modRevision }) => {
        const entry = parseEntry(key, value, Number(modRevision));
        return entry === undefined ? [] : [entry];
      }),
      revision: Number(response.header.revision),
    };
  }

  async #follow(): Promise<void> {
    this.#watch = await this.#client.watch(ROOT, this.#state.revision, {
      onEvents: (events, revision) => this.#apply(events, revision),
      onEnd: ({ reason }) => this.#startResync(reason),
    });
    // Nobody starts again while this is itself the start.
    if (this.#watch.ended) throw new Error('etcd ended the watch as soon as it began');
  }

  #apply(events: readonly IEvent[], headerRevision: number): void {
    const known = this.#state.revision;
    for (const { type, kv } of events) {
      const revision = Number(kv.mod_revision);
      const key = parseKey(kv.key.toString());
      // Older ones were read by a resync already.
      if (key === undefined || revision <= known) continue;
      const entry = type === 'Put' ? parseEntry(kv.key, kv.value, revision) : undefined;
      if (type === 'Delete' || entry !== undefined) this.#state.apply(key, entry?.object, revision);
      else this.#options.logger.warn({ key: kv.key.toString() }, 'etcd value is not an object');
    }
    // While a watch catches up, the header is ahead of what has been delivered.
    this.#advance(Number(events.at(-1)?.kv.mod_revision ?? headerRevision));
  }

  #advance(revision: number): void {
    this.#state.advanceTo(revision);
    for (const waiter of this.#waiting)
      if (waiter.revision <= this.#state.revision) {
        this.#waiting.delete(waiter);
        waiter.resolve();
      }
  }

  /** Reads everything again and tells watchers the differences; one at a time. */
  #startResync(why: string): void {
    if (this.#resyncing !== undefined || this.#lifetime.ended) return;
    this.#resyncing = this.#resync(why).finally(() => {
      this.#resyncing = undefined;
    });
  }

  async #resync(why: string): Promise<void> {
    const { logger, clock } = this.#options;
    const { signal } = this.#lifetime;
    logger.warn({ why }, 'reading everything again from etcd');
    this.#watch?.close();
    for (
      let backoffMs = MIN_BACKOFF_MS;
      !signal.aborted;
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)
    )
      try {
        this.#catchUp(await this.#readAll());
        await this.#follow();
        return;
      } catch (error) {
        logger.warn({ error: errorMessage(error), backoffMs }, 'etcd cannot be read');
        await sleep(clock, backoffMs, signal).catch(() => {});
      }
  }

  #catchUp({ objects, revision }: Snapshot): void {
    const present = new Set(objects.map(({ key }) => etcdKey(key)));
    for (const { key, object, modRevision } of objects.toSorted(
      (a, b) => a.modRevision - b.modRevision,
    ))
      if (Number(this.#state.get(key)?.metadata.resourceVersion ?? 0) !== modRevision)
        this.#state.apply(key, object, modRevision);
    for (const { key } of this.#state.entries())
      if (!present.has(etcdKey(key))) this.#state.apply(key, undefined, revision);
    this.#advance(revision);
  }
}

interface Snapshot {
  readonly objects: readonly StoredEntry[];
  readonly revision: number;
}

interface StoredEntry {
  readonly key: StoreKey;
  readonly object: KubeObject;
  readonly modRevision: number;
}

/** The longest first: `services/specs` before anything called `services`. */
const PREFIXES: readonly string[] = KINDS.map(({ storagePrefix }) => storagePrefix).toSorted(
  (a, b) => b.length - a.length,
);

function etcdKey({ resource, name }: StoreKey): string {
  return `${ROOT}${resource}/${name}`;
}

/** Undefined for what other programs keep below the same root. */
function parseKey(text: string): StoreKey | undefined {
  const rest = text.slice(ROOT.length);
  const resource = PREFIXES.find((prefix) => rest.startsWith(`${prefix}/`));
  return resource === undefined ? undefined : { resource, name: rest.slice(resource.length + 1) };
}

function parseEntry(key: Buffer, value: Buffer, modRevision: number): StoredEntry | undefined {
  const parsed = parseKey(key.toString());
  if (parsed === undefined) return undefined;
  try {
    const object: unknown = JSON.parse(value.toString());
    return isJsonObject(object) && isJsonObject(object['metadata'])
      ? { key: parsed, object: object as unknown as KubeObject, modRevision }
      : undefined;
  } catch {
    return undefined;
  }
}

function stamped(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}
