import type { Clock } from '../../src/base/clock.ts';
import type { KvEntry, KvEvent, LeaseKv } from '../../src/overlay/lease-kv.ts';

interface Watcher {
  readonly prefix: string;
  readonly notify: (events: readonly KvEvent[]) => void;
}

/** A LeaseKv in memory that keeps its history and expires keys by the clock. */
export class MemoryKv implements LeaseKv {
  /** The next calls that fail, as a store that is away does. */
  failures = 0;
  /** Runs once, before the next write: the other node that is faster. */
  beforeWrite: (() => void) | undefined;
  /** Runs once, before the next watch: what happens after a list. */
  beforeWatch: (() => void) | undefined;
  readonly #clock: Clock;
  readonly #entries = new Map<string, KvEntry>();
  readonly #timers = new Map<string, { cancel(): void }>();
  readonly #watchers = new Set<Watcher>();
  #history: { readonly revision: number; readonly event: KvEvent }[] = [];
  #compactedBefore = 0;
  #revision = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get entries(): ReadonlyMap<string, KvEntry> {
    return this.#entries;
  }

  /** Writes without asking. */
  put(key: string, value: string, ttlSeconds?: number): number {
    const modRevision = ++this.#revision;
    const entry = { key, value, modRevision, hasTtl: ttlSeconds !== undefined };
    this.#entries.set(key, entry);
    this.#timers.get(key)?.cancel();
    if (ttlSeconds !== undefined)
      this.#timers.set(
        key,
        this.#clock.setTimer(ttlSeconds * 1000, () => this.drop(key)),
      );
    this.#record({ type: 'put', entry });
    return modRevision;
  }

  /** Deletes without asking. */
  drop(key: string): void {
    this.#timers.get(key)?.cancel();
    if (!this.#entries.delete(key)) return;
    this.#revision += 1;
    this.#record({ type: 'delete', key });
  }

  /** Forgets the history: watches from before it end. */
  compact(): void {
    this.#history = [];
    this.#compactedBefore = this.#revision;
  }

  async list(prefix: string): Promise<{ entries: KvEntry[]; revision: number }> {
    await this.#answer();
    const entries = [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix));
    return { entries, revision: this.#revision };
  }

  async write(
    key: string,
    value: string,
    options: { expected: number; ttlSeconds: number | undefined },
  ): Promise<{ kind: 'written'; revision: number } | { kind: 'conflict' }> {
    await this.#answer();
    this.beforeWrite?.();
    this.beforeWrite = undefined;
    if ((this.#entries.get(key)?.modRevision ?? 0) !== options.expected)
      return { kind: 'conflict' };
    return { kind: 'written', revision: this.put(key, value, options.ttlSeconds) };
  }

  async remove(key: string, expected: number): Promise<boolean> {
    await this.#answer();
    if (this.#entries.get(key)?.modRevision !== expected) return false;
    this.drop(key);
    return true;
  }

  async watch(
    prefix: string,
    options: { after: number; signal: AbortSignal; onEvents: (events: readonly KvEvent[]) => void },
  ): Promise<'aborted' | 'compacted'> {
    await this.#answer();
    this.beforeWatch?.();
    this.beforeWatch = undefined;
    if (options.after < this.#compactedBefore) return 'compacted';
    const missed = this.#history
      .filter(({ revision, event }) => revision > options.after && keyOf(event).startsWith(prefix))
      .map(({ event }) => event);
    if (missed.length > 0) options.onEvents(missed);
    if (options.signal.aborted) return 'aborted';
    return new Promise((resolve) => {
      const watcher = { prefix, notify: options.onEvents };
      this.#watchers.add(watcher);
      options.signal.addEventListener('abort', () => {
        this.#watchers.delete(watcher);
        resolve('aborted');
      });
    });
  }

  async #answer(): Promise<void> {
    await Promise.resolve();
    if (this.failures === 0) return;
    this.failures -= 1;
    throw new Error('etcd is away');
  }

  #record(event: KvEvent): void {
    this.#history.push({ revision: this.#revision, event });
    for (const watcher of this.#watchers)
      if (keyOf(event).startsWith(watcher.prefix)) watcher.notify([event]);
  }
}

function keyOf(event: KvEvent): string {
  return event.type === 'put' ? event.entry.key : event.key;
}
