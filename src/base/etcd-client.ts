import { noop } from 'cockatiel';
import { Etcd3, type IEvent, type IOptions, type IWatchResponse, Range } from 'etcd3';
import type { Clock, Timer } from './clock.ts';

export interface EtcdClientOptions {
  /** `http://127.0.0.1:2379`; several are members of one cluster. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  /** An answer that takes longer is an error. */
  readonly timeoutMs: number;
  /** User and password, certificates. */
  readonly access?: Pick<IOptions, 'auth' | 'credentials'>;
}

export interface EtcdWatchListener {
  /** What one response brought, oldest first; `revision` is that of etcd when it was sent. */
  onEvents(events: readonly IEvent[], revision: number): void;
  /** It has ended and brings nothing more. */
  onEnd(end: EtcdWatchEnd): void;
}

/** `compacted`: etcd's history no longer reaches back to where the watch was to begin. */
export type EtcdWatchEnd = { readonly kind: 'compacted' | 'lost'; readonly reason: string };

/**
 * etcd's API through etcd3, which alone is not sound once etcd goes away: a call that fails closes the channels
 * of all others, whose answers then may never come; its circuit breaker refuses calls for five seconds after
 * etcd is back; and it repeats transactions whose answer was lost, so that a write meets itself as a conflict.
 * Here every call ends in time, is made once, and a watch has a channel of its own.
 */
export class EtcdClient implements Disposable {
  readonly #options: EtcdClientOptions;
  readonly #calls: Etcd3;
  readonly #pending = new Set<(reason: Error) => void>();
  readonly #watches = new Set<EtcdWatch>();

  /** Nothing is dialled before the first call. */
  constructor(options: EtcdClientOptions) {
    this.#options = options;
    this.#calls = connect(options);
  }

  /** What `run` asks of etcd; rejects when that takes longer than `timeoutMs` (default: the client's). */
  call<T>(
    run: (etcd: Etcd3) => Promise<T>,
    timeoutMs: number = this.#options.timeoutMs,
  ): Promise<T> {
    return this.#inTime(run(this.#calls), timeoutMs);
  }

  /** Follows the keys below `prefix` from the revision after `after`; resolves once etcd has agreed. */
  async watch(prefix: string, after: number, listener: EtcdWatchListener): Promise<EtcdWatch> {
    const watch = new EtcdWatch(connect(this.#options), listener, () => {
      this.#watches.delete(watch);
    });
    this.#watches.add(watch);
    try {
      await this.#inTime(watch.open(prefix, after), this.#options.timeoutMs);
      return watch;
    } catch (error) {
      watch.close();
      throw error;
    }
  }

  /** Calls in flight are rejected; watches end and say nothing. */
  [Symbol.dispose](): void {
    for (const reject of this.#pending) reject(new Error('the connection to etcd is closed'));
    for (const watch of this.#watches) watch.close();
    this.#calls.close();
  }

  #inTime<T>(task: Promise<T>, timeoutMs: number): Promise<T> {
    let timer: Timer | undefined;
    let giveUp: ((reason: Error) => void) | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      giveUp = reject;
      this.#pending.add(reject);
      timer = this.#options.clock.setTimer(timeoutMs, () =>
        reject(new Error(`etcd has not answered in ${timeoutMs / 1000} s`)),
      );
    });
    return Promise.race([task, tooLate]).finally(() => {
      timer?.cancel();
      if (giveUp !== undefined) this.#pending.delete(giveUp);
    });
  }
}

/** One watch on a channel of its own. */
export class EtcdWatch {
  readonly #etcd: Etcd3;
  readonly #listener: EtcdWatchListener;
  readonly #onClosed: () => void;
  #stream: WatchStream | undefined;
  #agreed = false;
  #ended = false;

  constructor(etcd: Etcd3, listener: EtcdWatchListener, onClosed: () => void) {
    this.#etcd = etcd;
    this.#listener = listener;
    this.#onClosed = onClosed;
  }

  /** True once it brings nothing more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Once; rejects when etcd refuses or cannot be reached. */
  async open(prefix: string, after: number): Promise<void> {
    const stream = await this.#etcd.watchClient.watch();
    if (this.#ended) return stream.cancel();
    this.#stream = stream;
    const agreed = new Promise<void>((resolve, reject) => {
      const end = (how: EtcdWatchEnd): void => {
        reject(new Error(how.reason));
        this.#end(how);
      };
      stream.on('error', (error) => end({ kind: 'lost', reason: error.message }));
      stream.on('end', () => end({ kind: 'lost', reason: 'etcd has ended the watch' }));
      stream.on('data', (response) => {
        if (response.canceled) return end(cancelled(response));
        if (!response.created) return this.#tell(response);
        this.#agreed = true;
        resolve();
      });
    });
    const range = Range.prefix(prefix);
    stream.write({
      create_request: {
        key: Buffer.from(range.start),
        range_end: Buffer.from(range.end),
        start_revision: after + 1,
        progress_notify: true,
      },
    });
    await agreed;
  }

  /** Nothing is heard of it any more. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream?.cancel();
    this.#etcd.close();
    this.#onClosed();
  }

  #tell({ events, header }: IWatchResponse): void {
    if (!this.#ended) this.#listener.onEvents(events, Number(header.revision));
  }

  #end(how: EtcdWatchEnd): void {
    if (this.#ended) return;
    this.close();
    if (this.#agreed) this.#listener.onEnd(how);
  }
}

function cancelled(response: IWatchResponse): EtcdWatchEnd {
  return {
    kind: Number(response.compact_revision) > 0 ? 'compacted' : 'lost',
    reason: response.cancel_reason || 'etcd has cancelled the watch',
  };
}

type WatchStream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

function connect({ endpoints, clock, timeoutMs, access }: EtcdClientOptions): Etcd3 {
  return new Etcd3({
    ...access,
    hosts: [...endpoints],
    // A watch lasts; everything else is answered in time or not at all.
    defaultCallOptions: ({ isStream }) =>
      isStream ? {} : { deadline: clock.wallNow() + timeoutMs },
    // The breaker steers to another member; where there is none, it would only keep us away.
    faultHandling: { global: noop, ...(endpoints.length === 1 ? { host: () => noop } : {}) },
  });
}
