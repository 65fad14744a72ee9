import type { Clock, Timer } from '../base/clock.ts';

interface Delivery {
  readonly atMs: number;
  readonly deliver: () => void;
}

/** What a line holds: above, it refuses. */
const MAX_WAITING = 65_536;

/** Delivers at given times, in the order of the times; what has one time, in the order it came. One timer. */
export class DelayLine {
  readonly #clock: Clock;
  #waiting: Delivery[] = [];
  /** Deliveries before it are done. */
  #first = 0;
  #timer: Timer | undefined;
  #timerAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False when too much waits. */
  add(atMs: number, deliver: () => void): boolean {
    if (this.#waiting.length - this.#first >= MAX_WAITING) return false;
    let index = this.#waiting.length;
    // Nearly always the last: only what is held back for reordering is overtaken.
    while (index > this.#first && (this.#waiting[index - 1]?.atMs ?? 0) > atMs) index -= 1;
    this.#waiting.splice(index, 0, { atMs, deliver });
    this.#arm();
    return true;
  }

  /** Forgets what waits. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = [];
    this.#first = 0;
  }

  #arm(): void {
    const atMs = this.#waiting[this.#first]?.atMs;
    if (atMs === undefined || (this.#timer !== undefined && this.#timerAt <= atMs)) return;
    this.#timer?.cancel();
    this.#timerAt = atMs;
    this.#timer = this.#clock.setTimer(atMs - this.#clock.now(), () => this.#deliver());
  }

  #deliver(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    let next = this.#waiting[this.#first];
    while (next !== undefined && next.atMs <= now) {
      this.#first += 1;
      next.deliver();
      next = this.#waiting[this.#first];
    }
    if (this.#first > this.#waiting.length / 2) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    this.#arm();
  }
}
