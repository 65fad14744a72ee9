import type { Clock } from '../../base/clock.ts';
import { LatencyRecorder } from '../stats/latency-recorder.ts';
import { type Slip, slipOf } from './slip.ts';

const BEAT_MS = 10;

/** A timer that does nothing but see how late it comes. It beats as long as the process lives. */
export class Pulse {
  readonly #clock: Clock;
  #late = new LatencyRecorder();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beat();
  }

  /** The slip since the last time it was taken. */
  take(): Slip {
    const slip = slipOf(this.#late);
    this.#late = new LatencyRecorder();
    return slip;
  }

  #beat(): void {
    const dueAt = this.#clock.now() + BEAT_MS;
    this.#clock.setTimer(BEAT_MS, () => {
      this.#late.record(Math.max(0, this.#clock.now() - dueAt));
      this.#beat();
    });
  }
}
