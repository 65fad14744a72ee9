import { type CongestionControl, initialWindow } from './congestion-control.ts';

/** RFC 5681 with RFC 6582's recovery and RFC 3465's byte counting. */
export class NewReno implements CongestionControl {
  readonly name = 'newreno';
  windowBytes: number;
  #thresholdBytes = Number.POSITIVE_INFINITY;
  #mssBytes: number;
  #ackedInAvoidance = 0;

  constructor(mssBytes: number) {
    this.#mssBytes = mssBytes;
    this.windowBytes = initialWindow(mssBytes);
  }

  get slowStartThresholdBytes(): number {
    return this.#thresholdBytes;
  }

  onAcked(ackedBytes: number): void {
    if (this.windowBytes < this.#thresholdBytes) {
      this.windowBytes = Math.min(this.windowBytes + ackedBytes, this.#thresholdBytes);
      return;
    }
    this.#ackedInAvoidance += ackedBytes;
    if (this.#ackedInAvoidance < this.windowBytes) return;
    this.#ackedInAvoidance -= this.windowBytes;
    this.windowBytes += this.#mssBytes;
  }

  onLoss(_now: number, pipeBytes: number): void {
    this.#thresholdBytes = Math.max(pipeBytes / 2, 2 * this.#mssBytes);
    this.#ackedInAvoidance = 0;
  }

  onTimeout(now: number, pipeBytes: number, isFirst: boolean): void {
    if (isFirst) this.onLoss(now, pipeBytes);
    this.windowBytes = this.#mssBytes;
  }

  onIdle(): void {
    this.windowBytes = Math.min(this.windowBytes, initialWindow(this.#mssBytes));
  }

  onSegmentSize(mssBytes: number): void {
    this.#mssBytes = mssBytes;
  }
}
