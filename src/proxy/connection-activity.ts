import type { Clock, Timer } from '../base/clock.ts';
import type { EngineConnection } from './engine/engine.ts';

/** A connection as far as its last sign of life is concerned. */
export interface Watched {
  readonly connection: EngineConnection;
  /** The Clock's monotonic milliseconds. */
  lastActiveMs: number;
  /** Both ways, when last looked at. */
  bytesSeen: number;
}

const LOOK_EVERY_MS = 10_000;

/**
 * When bytes last passed on connections, which conntrack's timers count from. Looked at every ten seconds, and whenever
 * somebody asks, because noting it with every read would cost as much as the read: an idle connection's time may be up to
 * ten seconds late. There is a timer only while there are connections.
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
    for (const one of this.#watched) {
      const bytes = one.connection.bytesFromClient + one.connection.bytesFromServer;
      if (bytes === one.bytesSeen) continue;
      one.bytesSeen = bytes;
      one.lastActiveMs = now;
    }
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
