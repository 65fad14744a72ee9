import type { Clock, Timer } from '../base/clock.ts';

export interface SyncPeriods {
  /** `minSyncPeriod`: the token bucket gains one run in so long. 0: no limit. */
  readonly minIntervalMs: number;
  /** A run is forced after so long without one. */
  readonly maxIntervalMs: number;
  /** `syncPeriod`: when a run failed, the next attempt. */
  readonly retryIntervalMs: number;
}

/** podwire shows a change at once; kube-proxy's own default for iptables is a second. */
export const DEFAULT_SYNC_PERIODS: SyncPeriods = {
  minIntervalMs: 0,
  maxIntervalMs: 3_600_000,
  retryIntervalMs: 30_000,
};

/** Runs in a row before the bucket is empty (pkg/proxy/iptables/proxier.go, burstSyncs). */
const BURST = 2;

/** Fractions of a token do not add up exactly. */
const ROUNDING = 1e-9;

/**
 * Decides when rules are synced, as kube-proxy's BoundedFrequencyRunner does (pkg/util/async): requests made
 * in one event-loop turn become one run, runs come as fast as the token bucket allows, and at the latest after
 * the maximum interval.
 */
export class SyncRunner {
  readonly #clock: Clock;
  readonly #periods: SyncPeriods;
  readonly #run: () => void;
  #timer: Timer | undefined;
  #dueAt = Infinity;
  #requested = false;
  #stopped = false;
  #tokens = BURST;
  #tokensAt: number;

  /** `run` throws to say that it failed. The maximum interval counts from the first run. */
  constructor(clock: Clock, periods: SyncPeriods, run: () => void) {
    this.#clock = clock;
    this.#periods = periods;
    this.#run = run;
    this.#tokensAt = clock.now();
  }

  /** Asks for a run as soon as it may be. */
  request(): void {
    if (this.#requested || this.#stopped) return;
    this.#requested = true;
    this.#clock.defer(() => {
      this.#requested = false;
      this.#tryRun();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #tryRun(): void {
    if (this.#stopped) return;
    const now = this.#clock.now();
    if (!this.#takeToken(now)) {
      const waitMs = (1 - this.#tokens - ROUNDING) * this.#periods.minIntervalMs;
      const possibleAt = now + Math.ceil(waitMs);
      if (possibleAt < this.#dueAt) this.#schedule(possibleAt);
      return;
    }
    this.#schedule(now + this.#periods.maxIntervalMs);
    try {
      this.#run();
    } catch (error) {
      this.#schedule(now + this.#periods.retryIntervalMs);
      throw error;
    }
  }

  #takeToken(now: number): boolean {
    const { minIntervalMs } = this.#periods;
    if (minIntervalMs === 0) return true;
    this.#tokens = Math.min(BURST, this.#tokens + (now - this.#tokensAt) / minIntervalMs);
    this.#tokensAt = now;
    if (this.#tokens < 1 - ROUNDING) return false;
    this.#tokens = Math.max(0, this.#tokens - 1);
    return true;
  }

  #schedule(dueAt: number): void {
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = this.#clock.setTimer(dueAt - this.#clock.now(), () => {
      this.#dueAt = Infinity;
      this.#tryRun();
    });
  }
}
