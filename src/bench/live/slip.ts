import type { LatencyRecorder } from '../stats/latency-recorder.ts';

/**
 * How late a process came to what it had to do, in milliseconds. Timers are late by half a millisecond on a quiet
 * machine; more than that is other work, and ends up in latencies.
 */
export interface Slip {
  readonly meanMs: number;
  readonly p99Ms: number;
}

/** Beyond either, a repetition says more of the machine than of the algorithm. */
export const MOST_SLIP: Slip = { meanMs: 8, p99Ms: 60 };

export function isDisturbed({ meanMs, p99Ms }: Slip): boolean {
  return meanMs > MOST_SLIP.meanMs || p99Ms > MOST_SLIP.p99Ms;
}

export function slipOf(late: LatencyRecorder): Slip {
  return { meanMs: late.meanMs, p99Ms: late.percentileMs(99) };
}

/** Of processes that a request meets one after the other: means add up, and the worst tail counts. */
export function togetherSlip(parts: readonly Slip[]): Slip {
  return {
    meanMs: parts.reduce((sum, { meanMs }) => sum + meanMs, 0),
    p99Ms: Math.max(0, ...parts.map(({ p99Ms }) => p99Ms)),
  };
}
