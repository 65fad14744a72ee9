import type { Clock } from '../base/clock.ts';

/** One step of something long that is about to begin. */
export interface ProgressStep {
  readonly scenario: string;
  readonly algorithm: string;
  /** Steps that are over, of `total`. */
  readonly done: number;
  readonly total: number;
}

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
const ERASE = '\r\u001B[2K';

/** A line on a terminal that is rewritten with every step, with the time left. Silent in pipes and logs. */
export class ProgressLine {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #startedAt: number;

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  show({ scenario, algorithm, done, total }: ProgressStep): void {
    if (this.#output.isTTY !== true) return;
    const filled = Math.round((done / total) * BAR_WIDTH);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
    this.#output.write(`${ERASE}${bar} ${scenario} ${algorithm} ${this.#timeLeft(done, total)}`);
  }

  clear(): void {
    if (this.#output.isTTY === true) this.#output.write(ERASE);
  }

  /** Supposes that steps take alike. */
  #timeLeft(done: number, total: number): string {
    if (done === 0) return '';
    const leftMs = ((this.#clock.now() - this.#startedAt) / done) * (total - done);
    return `about ${Math.ceil(leftMs / 1000)} s left`;
  }
}
