import type { Probe } from '../../api/types/core.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { ProbeResult } from './probe-handler.ts';

/** The API's defaults, in seconds and counts. */
const DEFAULTS = {
  initialDelaySeconds: 0,
  timeoutSeconds: 1,
  periodSeconds: 10,
  successThreshold: 1,
  failureThreshold: 3,
} as const;

/**
 * Repeats one probe and reports when its thresholds are crossed. The next run starts a period after the
 * last one started, or as soon as that has ended.
 */
export class Prober {
  readonly #clock: Clock;
  readonly #probe: Required<Pick<Probe, keyof typeof DEFAULTS>>;
  readonly #run: (timeoutMs: number) => Promise<ProbeResult>;
  readonly #onVerdict: (healthy: boolean) => void;
  readonly #onFailure: (message: string) => void;
  #timer: Timer | undefined;
  #stopped = false;
  #streak = 0;
  #last: boolean | undefined;

  constructor(options: {
    clock: Clock;
    probe: Probe;
    run: (timeoutMs: number) => Promise<ProbeResult>;
    /** Called each time as many results in a row as the threshold asks agree. */
    onVerdict: (healthy: boolean) => void;
    /** Called with every single failure, for events. */
    onFailure: (message: string) => void;
  }) {
    this.#clock = options.clock;
    this.#probe = { ...DEFAULTS, ...options.probe };
    this.#run = options.run;
    this.#onVerdict = options.onVerdict;
    this.#onFailure = options.onFailure;
    this.#schedule(this.#probe.initialDelaySeconds * 1000);
  }

  /** No further run starts, and a running one is not reported. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => void this.#once());
  }

  async #once(): Promise<void> {
    const startedAt = this.#clock.now();
    const result = await this.#run(this.#probe.timeoutSeconds * 1000);
    if (this.#stopped) return;
    this.#count(result);
    const nextAt = startedAt + this.#probe.periodSeconds * 1000;
    if (!this.#hasStopped()) this.#schedule(nextAt - this.#clock.now());
  }

  #count(result: ProbeResult): void {
    if (!result.ok) this.#onFailure(result.message);
    this.#streak = result.ok === this.#last ? this.#streak + 1 : 1;
    this.#last = result.ok;
    const threshold = result.ok ? this.#probe.successThreshold : this.#probe.failureThreshold;
    if (this.#streak >= threshold) this.#onVerdict(result.ok);
  }

  /** A verdict may have stopped it. */
  #hasStopped(): boolean {
    return this.#stopped;
  }
}
