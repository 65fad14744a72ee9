import type { Clock, Timer } from '../base/clock.ts';
/** A connection as far as its bytes are concerned. */
export interface Watched {
  /** Takes note of what has passed since the last look. */
  look(nowMs: number): void;
}

const LOOK_EVERY_MS = 10_000;

/**
 * Looks at open connections every ten seconds, and whenever somebody asks, for when bytes last passed and how many:
 * conntrack's timers and ipvs' counters want to know, and noting it with every read would cost as much as the read. So an
 * idle connection's time may be up to ten seconds late. There is a timer only while there are connections.
 */
export class ConnectionActivity {
  readonly #clock: Clock;
  readonly #watched: ReadonlySet<Watched>;
  #timer: Timer | undefined;
  #closed = false;

  /** `watched` belongs to the caller, who says {@link started} after adding to it. */
  constructor(clock: Clock, watched: ReadonlySet<Watched>) {
    this.#clock = clock;
    this.#watched = watched;
  }

  started(): void {
    if (this.#closed) return;
    this.#timer ??= this.#clock.setTimer(LOOK_EVERY_MS, () => this.#tick());
  }

  look(): void {
    const now = this.#clock.now();
    for (const one of this.#watched) one.look(now);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = undefined;
    this.look();
    if (this.#watched.size > 0) this.started();
  }
}
