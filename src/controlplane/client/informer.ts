import { ApiError } from '../../api/api-error.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { ListOptions, ResourceClient, WatchEvent } from './client.ts';

/** `current` undefined: deleted. `previous` undefined: new to the reader. */
export type ChangeHandler<T> = (current: T | undefined, previous: T | undefined) => void;

export interface InformerOptions<T extends KubeObject> {
  readonly client: ResourceClient<T>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly selection?: ListOptions;
}

const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 30_000;

/**
 * The objects of one resource as they are now: lists, then watches, and lists again when the watch has lost
 * touch (410). Handlers are called synchronously, in the order of the changes; what changed while the watch
 * was away is told as differences. Owns its watch; `close` ends it.
 */
export class Informer<T extends KubeObject> implements Resource {
  /** Resolves after the first list is in. Never rejects; stays pending when closed before. */
  readonly synced: Promise<void>;
  readonly #options: InformerOptions<T>;
  readonly #lifetime: Lifetime;
  readonly #objects = new Map<string, T>();
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #waiting = new Set<{ readonly version: number; readonly resolve: () => void }>();
  #isSynced = false;
  #markSynced: () => void = () => {};
  #version = 0;

  constructor(name: string, options: InformerOptions<T>) {
    this.#options = options;
    this.#lifetime = new Lifetime(`informer ${name}`);
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    const running = this.#run();
    this.#lifetime.defer(() => running);
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#objects.get(keyOf(name, namespace));
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** Tells about every object known now and every change from now on, until the returned function is called. */
  subscribe(handler: ChangeHandler<T>): () => void {
    for (const object of this.#objects.values()) handler(object, undefined);
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Resolves when everything up to this version has been told; at once after the informer has ended. */
  caughtUp(resourceVersion: string): Promise<void> {
    const version = Number(resourceVersion);
    if (version <= this.#version || this.#lifetime.ended) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ version, resolve }));
  }

  close(): Promise<void> {
    return this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ending = this.#lifetime[Symbol.asyncDispose]();
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
    await ending;
  }

  async #run(): Promise<void> {
    const { signal } = this.#lifetime;
    let backoffMs = MIN_BACKOFF_MS;
    while (!signal.aborted) {
      try {
        await this.#listAndWatch(signal, () => {
          backoffMs = MIN_BACKOFF_MS;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status.code === 410) continue;
        this.#options.logger.warn(
          { informer: this.#lifetime.name, error: errorMessage(error), backoffMs },
          'list and watch failed; trying again',
        );
        await sleep(this.#options.clock, backoffMs, signal).catch(() => {});
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      }
    }
  }

  async #listAndWatch(signal: AbortSignal, onListed: () => void): Promise<void> {
    const { client, selection = {} } = this.#options;
    const list = await client.list(selection);
    if (signal.aborted) return;
    this.#replace(list.items, Number(list.resourceVersion));
    onListed();
    let { resourceVersion } = list;
    while (!signal.aborted) {
      for await (const event of client.watch({ ...selection, resourceVersion, signal })) {
        if (signal.aborted) return;
        resourceVersion = this.#handle(event);
      }
    }
  }

  #replace(items: readonly T[], version: number): void {
    const gone = new Map(this.#objects);
    for (const item of items) {
      gone.delete(objectKey(item));
      this.#put(item);
    }
    for (const object of gone.values()) this.#drop(object);
    this.#advance(version);
    if (this.#isSynced) return;
    this.#isSynced = true;
    this.#markSynced();
  }

  #handle(event: WatchEvent<T>): string {
    if (event.type === 'BOOKMARK') {
      this.#advance(Number(event.resourceVersion));
      return event.resourceVersion;
    }
    if (event.type === 'DELETED') this.#drop(event.object);
    else this.#put(event.object);
    const { resourceVersion = '0' } = event.object.metadata;
    this.#advance(Number(resourceVersion));
    return resourceVersion;
  }

  #put(object: T): void {
    const key = objectKey(object);
    const previous = this.#objects.get(key);
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    // A name that was taken again: the reader never saw the end of the first holder.
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.#tell(undefined, previous);
      this.#tell(object, undefined);
    } else this.#tell(object, previous);
  }

  #drop(object: T): void {
    const key = objectKey(object);
    if (this.#objects.delete(key)) this.#tell(undefined, object);
  }

  #tell(current: T | undefined, previous: T | undefined): void {
    for (const handler of this.#handlers) handler(current, previous);
  }

  #advance(version: number): void {
    this.#version = Math.max(this.#version, version);
    for (const waiter of this.#waiting)
      if (waiter.version <= this.#version) {
        this.#waiting.delete(waiter);
        waiter.resolve();
      }
  }
}

function keyOf(name: string, namespace: string | undefined): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function objectKey(object: KubeObject): string {
  return keyOf(object.metadata.name ?? '', object.metadata.namespace);
}
