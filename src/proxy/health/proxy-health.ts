import type { Clock } from '../../base/clock.ts';

export interface HealthStatus {
  /** Unix milliseconds; undefined: nothing was applied yet. */
  readonly lastUpdatedMs: number | undefined;
  readonly currentMs: number;
  /** Changes are applied in time. */
  readonly healthy: boolean;
  /** False when the node is about to go: load balancers should look elsewhere. */
  readonly nodeEligible: boolean;
}

/**
 * Whether a proxy keeps up (pkg/proxy/healthcheck/proxy_health.go): unhealthy while the oldest change that is not
 * applied has waited for two sync periods. Before the first sync it is healthy whatever waits.
 */
export class ProxyHealth {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #oldestQueuedMs: number | undefined;
  #lastUpdatedMs: number | undefined;
  #nodeEligible = true;

  constructor(clock: Clock, syncPeriodMs: number) {
    this.#clock = clock;
    this.#timeoutMs = 2 * syncPeriodMs;
  }

  /** A change waits to be applied. */
  queued(): void {
    this.#oldestQueuedMs ??= this.#clock.wallNow();
  }

  /** Everything queued has been applied. */
  updated(): void {
    this.#oldestQueuedMs = undefined;
    this.#lastUpdatedMs = this.#clock.wallNow();
  }

  /** False for a node with a deletionTimestamp or the taint ToBeDeletedByClusterAutoscaler. */
  setNodeEligible(eligible: boolean): void {
    this.#nodeEligible = eligible;
  }

  status(): HealthStatus {
    const currentMs = this.#clock.wallNow();
    const late =
      this.#lastUpdatedMs !== undefined &&
      this.#oldestQueuedMs !== undefined &&
      currentMs - this.#oldestQueuedMs >= this.#timeoutMs;
    return {
      lastUpdatedMs: this.#lastUpdatedMs,
      currentMs,
      healthy: !late,
      nodeEligible: this.#nodeEligible,
    };
  }
}
