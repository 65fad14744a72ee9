import type { Service } from '../../api/types/core.ts';
import { SERVICE_NAME_LABEL, type EndpointSlice } from '../../api/types/discovery.ts';
import { sleep, type Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { KeyValueWriter } from '../plugin/key-value.ts';
import type { DnsSource } from '../source/dns-source.ts';
import { entriesOfService, type EntryRules } from './skydns-entries.ts';

const CALL = { timeoutMs: 5000 } as const;
const RETRY_MS = 1000;

export interface Kube2skyOptions extends EntryRules {
  readonly source: DnsSource;
  /** Owned: closed at the end. */
  readonly store: KeyValueWriter;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Writes the cluster's Services into etcd in the SkyDNS layout and keeps them there. Only Services that
 * changed are written; what cannot be written is tried again every second. Entries stay at the end, as
 * kube2sky left them.
 */
export class Kube2sky implements Resource {
  readonly #options: Kube2skyOptions;
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** What is in the store, by Service. */
  readonly #written = new Map<string, ReadonlyMap<string, string>>();
  readonly #dirty = new Set<string>();
  readonly #stop = new AbortController();
  readonly #watches: { stop(): void }[];
  #writing: Promise<void> | undefined;

  constructor(options: Kube2skyOptions) {
    this.#options = options;
    this.#watches = [
      options.source.watch('services', {
        set: (service) => {
          const key = keyOf(service.metadata);
          this.#services.set(key, service);
          this.#mark(key);
        },
        delete: (service) => {
          const key = keyOf(service.metadata);
          this.#services.delete(key);
          this.#mark(key);
        },
        synced: () => {},
      }),
      options.source.watch('endpointslices', {
        set: (slice) => {
          this.#slices.set(keyOf(slice.metadata), slice);
          this.#mark(serviceKeyOf(slice));
        },
        delete: (slice) => {
          const known = this.#slices.get(keyOf(slice.metadata));
          this.#slices.delete(keyOf(slice.metadata));
          if (known !== undefined) this.#mark(serviceKeyOf(known));
        },
        synced: () => {},
      }),
    ];
  }

  /** Resolves when everything known so far is in the store. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
    this.#stop.abort(new Error('kube2sky stopped'));
    await this.#writing;
    await this.#options.store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #mark(key: string): void {
    if (this.#stop.signal.aborted) return;
    this.#dirty.add(key);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    // Changes of one turn are written together.
    await Promise.resolve();
    for (const key of this.#dirty) {
      if (this.#stop.signal.aborted) return;
      this.#dirty.delete(key);
      try {
        await this.#write(key);
      } catch (error) {
        this.#options.log.warn(`kube2sky: ${key}: ${errorMessage(error)}`);
        this.#dirty.add(key);
        await sleep(this.#options.clock, RETRY_MS, this.#stop.signal).catch(() => undefined);
      }
    }
  }

  async #write(key: string): Promise<void> {
    const { store, layout, domain } = this.#options;
    const service = this.#services.get(key);
    const slices = [...this.#slices.values()].filter((slice) => serviceKeyOf(slice) === key);
    const entries =
      service === undefined ? [] : entriesOfService(service, slices, { layout, domain });
    const wanted = new Map(entries.map((entry) => [entry.key, entry.value]));
    const before = this.#written.get(key) ?? new Map<string, string>();
    for (const old of before.keys()) if (!wanted.has(old)) await store.delete(old, CALL);
    for (const [path, value] of wanted)
      if (before.get(path) !== value) await store.put(path, value, CALL);
    if (wanted.size === 0) this.#written.delete(key);
    else this.#written.set(key, wanted);
  }
}

function keyOf({ namespace, name }: { namespace?: string; name?: string }): string {
  return `${namespace ?? 'default'}/${name ?? ''}`;
}

function serviceKeyOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace ?? 'default'}/${metadata.labels?.[SERVICE_NAME_LABEL] ?? ''}`;
}
