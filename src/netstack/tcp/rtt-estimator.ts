// RFC 6298, with Linux's reading of the minimum: it bounds the variance term, so that the timeout is
// never nearer than `minRtoMs` behind the smoothed round trip.

export interface RtoLimits {
  readonly initialRtoMs: number;
  readonly minRtoMs: number;
  readonly maxRtoMs: number;
}

/** Windowed minimum, RFC 8985 §6.2: a minimum older than this gives way to the next sample. */
const MIN_RTT_WINDOW_MS = 300_000;

/** Round trip times of one connection, and the retransmission timeout that follows from them. */
export class RttEstimator {
  readonly #limits: RtoLimits;
  #smoothedMs = -1;
  #varianceMs = 0;
  #minMs = Number.POSITIVE_INFINITY;
  #minAt = 0;
  #backoff = 0;

  constructor(limits: RtoLimits) {
    this.#limits = limits;
  }

  /** -1 before the first sample. */
  get smoothedMs(): number {
    return this.#smoothedMs;
  }

  get varianceMs(): number {
    return this.#varianceMs;
  }

  /** Infinity before the first sample. */
  get minMs(): number {
    return this.#minMs;
  }

  /** The retransmission timeout, backed off. */
  get rtoMs(): number {
    return Math.min(this.#limits.maxRtoMs, this.#baseMs() * 2 ** this.#backoff);
  }

  sample(now: number, rttMs: number): void {
    if (rttMs <= this.#minMs || now - this.#minAt > MIN_RTT_WINDOW_MS) {
      this.#minMs = rttMs;
      this.#minAt = now;
    }
    if (this.#smoothedMs < 0) {
      this.#smoothedMs = rttMs;
      this.#varianceMs = rttMs / 2;
      return;
    }
    this.#varianceMs += (Math.abs(this.#smoothedMs - rttMs) - this.#varianceMs) / 4;
    this.#smoothedMs += (rttMs - this.#smoothedMs) / 8;
  }

  /** RFC 6298 (5.5). */
  backOff(): void {
    this.#backoff = Math.min(this.#backoff + 1, 16);
  }

  resetBackoff(): void {
    this.#backoff = 0;
  }

  #baseMs(): number {
    const { initialRtoMs, minRtoMs } = this.#limits;
    if (this.#smoothedMs < 0) return initialRtoMs;
    return this.#smoothedMs + Math.max(4 * this.#varianceMs, minRtoMs);
  }
}
