import type { Clock, Timer } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Resource } from '../base/lifetime.ts';
import {
  type ListenProblem,
  type ListenPurpose,
  listenProblem,
  type Spot,
} from './listen-problem.ts';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 16_000;

/** Opens what listens at a spot. Rejects with an error that has the system's `code`. */
export type OpenListener<Owner> = (spot: Spot, owners: Owners<Owner>) => Promise<Resource>;

/** Who wants a spot now; it changes while the listener is open. */
export type Owners<Owner> = ReadonlyMap<Owner, ListenPurpose>;

export interface ListenerEvents {
  problem(problem: ListenProblem): void;
  /** What could not be opened is open, or nobody wants it any more: then `purposes` is empty. */
  solved(spot: Spot, purposes: readonly ListenPurpose[]): void;
}

interface Entry<Owner> {
  readonly spot: Spot;
  /** What each owner wants it for. */
  readonly owners: Map<Owner, ListenPurpose>;
  listener: Resource | undefined;
  retry: Timer | undefined;
  retryDelayMs: number;
  busy: boolean;
  problem: string | undefined;
}

/**
 * The listeners of one process, one a spot however many want it: several nodes share a ClusterIP. What
 * cannot be opened is reported once and tried again after 1 s, 2 s, … 16 s until it works or nobody wants it.
 */
export class ListenerTable<Owner> implements Resource {
  readonly #clock: Clock;
  readonly #open: OpenListener<Owner>;
  readonly #events: ListenerEvents;
  readonly #entries = new Map<string, Entry<Owner>>();
  readonly #settling = new Set<Promise<void>>();

  constructor(options: {
    readonly clock: Clock;
    readonly open: OpenListener<Owner>;
    readonly events: ListenerEvents;
  }) {
    this.#clock = options.clock;
    this.#open = options.open;
    this.#events = options.events;
  }

  /** Claiming again only changes the purpose. */
  claim(spot: Spot, owner: Owner, purpose: ListenPurpose): void {
    const key = keyOf(spot);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {
        spot,
        owners: new Map(),
        listener: undefined,
        retry: undefined,
        retryDelayMs: FIRST_RETRY_MS,
        busy: false,
        problem: undefined,
      };
      this.#entries.set(key, entry);
    }
    entry.owners.set(owner, purpose);
    this.#start(entry);
  }

  release(spot: Spot, owner: Owner): void {
    const entry = this.#entries.get(keyOf(spot));
    if (entry?.owners.delete(owner) === true) this.#start(entry);
  }

  releaseAll(owner: Owner): void {
    for (const entry of this.#entries.values()) if (entry.owners.delete(owner)) this.#start(entry);
  }

  /** Once everything claimed so far has been opened or reported, and everything released closed. */
  async settled(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling);
  }

  async close(): Promise<void> {
    for (const entry of this.#entries.values()) {
      entry.owners.clear();
      this.#start(entry);
    }
    await this.settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(entry: Entry<Owner>): void {
    if (entry.busy) return;
    entry.busy = true;
    const settling = this.#settle(entry).finally(() => {
      this.#settling.delete(settling);
    });
    this.#settling.add(settling);
  }

  async #settle(entry: Entry<Owner>): Promise<void> {
    for (;;) {
      const wanted = entry.owners.size > 0;
      if (wanted && entry.listener === undefined && entry.retry === undefined)
        await this.#tryOpen(entry);
      else if (!wanted && entry.listener !== undefined) {
        const { listener } = entry;
        entry.listener = undefined;
        await listener.close();
      } else break;
    }
    entry.busy = false;
    if (entry.owners.size > 0) return;
    entry.retry?.cancel();
    if (entry.problem !== undefined) this.#events.solved(entry.spot, []);
    this.#entries.delete(keyOf(entry.spot));
  }

  async #tryOpen(entry: Entry<Owner>): Promise<void> {
    try {
      entry.listener = await this.#open(entry.spot, entry.owners);
    } catch (error) {
      this.#failed(entry, errorCode(error) ?? String(error));
      return;
    }
    entry.retryDelayMs = FIRST_RETRY_MS;
    if (entry.problem === undefined) return;
    entry.problem = undefined;
    this.#events.solved(entry.spot, [...entry.owners.values()]);
  }

  #failed(entry: Entry<Owner>, code: string): void {
    entry.retry = this.#clock.setTimer(entry.retryDelayMs, () => {
      entry.retry = undefined;
      this.#start(entry);
    });
    entry.retryDelayMs = Math.min(entry.retryDelayMs * 2, LAST_RETRY_MS);
    if (entry.problem === code) return;
    entry.problem = code;
    this.#events.problem(listenProblem(entry.spot, [...entry.owners.values()], code));
  }
}

function keyOf(spot: Spot): string {
  return `${spot.protocol} ${spot.address} ${spot.port}`;
}
