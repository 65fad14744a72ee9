// RFC 9438.
import { type CongestionControl, initialWindow } from './congestion-control.ts';

/** §4.1, §4.6: segments per second cubed, and the multiplicative decrease. */
const C = 0.4;
const BETA = 0.7;
/** §4.3: the Reno-friendly increase that makes up for the gentler decrease. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** CUBIC with the Reno-friendly region. One a connection, driven by its acknowledgements and losses. */
export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  windowBytes: number;
  #thresholdBytes = Number.POSITIVE_INFINITY;
  #mssBytes: number;
  /** W_max, in segments; 0 before the first loss. */
  #maxSegments = 0;
  /** W_est, in segments. */
  #renoSegments = 0;
  /** When this congestion avoidance began, or -1; its start window and K. */
  #epochAt = -1;
  #epochSegments = 0;
  #kSeconds = 0;

  constructor(mssBytes: number) {
    this.#mssBytes = mssBytes;
    this.windowBytes = initialWindow(mssBytes);
  }

  get slowStartThresholdBytes(): number {
    return this.#thresholdBytes;
  }

  onAcked(ackedBytes: number, now: number, smoothedRttMs: number): void {
    if (this.windowBytes < this.#thresholdBytes) {
      this.windowBytes = Math.min(this.windowBytes + ackedBytes, this.#thresholdBytes);
      return;
    }
    if (this.#epochAt < 0) this.#startEpoch(now);
    const window = this.windowBytes / this.#mssBytes;
    const acked = ackedBytes / this.#mssBytes;
    // §4.3: once back at W_max, Reno's own increase.
    const alpha = this.#renoSegments >= this.#maxSegments ? 1 : ALPHA;
    this.#renoSegments += (alpha * acked) / window;
    const elapsedSeconds = (now - this.#epochAt) / 1000;
    const target = this.#targetAt(elapsedSeconds + Math.max(smoothedRttMs, 0) / 1000, window);
    const grown =
      this.#cubicAt(elapsedSeconds) < this.#renoSegments
        ? Math.max(window, this.#renoSegments)
        : window + ((target - window) * acked) / window;
    this.windowBytes = Math.round(grown * this.#mssBytes);
  }

  onLoss(_now: number, pipeBytes: number): void {
    const segments = pipeBytes / this.#mssBytes;
    // §4.7, fast convergence: a flow whose maximum shrinks releases more to newer ones.
    this.#maxSegments = segments < this.#maxSegments ? (segments * (1 + BETA)) / 2 : segments;
    this.#thresholdBytes = Math.max(Math.round(pipeBytes * BETA), 2 * this.#mssBytes);
    this.#epochAt = -1;
  }

  onTimeout(now: number, pipeBytes: number, isFirst: boolean): void {
    if (isFirst) this.onLoss(now, pipeBytes);
    this.#epochAt = -1;
    this.windowBytes = this.#mssBytes;
  }

  onIdle(): void {
    this.#epochAt = -1;
    this.windowBytes = Math.min(this.windowBytes, initialWindow(this.#mssBytes));
  }

  onSegmentSize(mssBytes: number): void {
    this.#mssBytes = mssBytes;
    this.#epochAt = -1;
  }

  #startEpoch(now: number): void {
    this.#epochAt = now;
    this.#epochSegments = this.windowBytes / this.#mssBytes;
    this.#maxSegments = Math.max(this.#maxSegments, this.#epochSegments);
    this.#renoSegments = this.#epochSegments;
    this.#kSeconds = Math.cbrt((this.#maxSegments - this.#epochSegments) / C);
  }

  #cubicAt(seconds: number): number {
    return C * (seconds - this.#kSeconds) ** 3 + this.#maxSegments;
  }

  /** §4.2: never below the window, never more than half above it in one round trip. */
  #targetAt(seconds: number, window: number): number {
    return Math.min(Math.max(this.#cubicAt(seconds), window), 1.5 * window);
  }
}
