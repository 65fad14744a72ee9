import type { AlgorithmFamily } from '../algorithms/balancer.ts';
import type { Slip } from '../live/slip.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Fairness } from '../stats/fairness.ts';
import type { Failure } from '../stats/recorder.ts';

/** The file format's version; a reader refuses others. */
export const RESULT_FORMAT = 'podwire.io/bench/v1';

/** One point of a latency curve. */
export interface PercentilePoint {
  /** 0..100 */
  readonly percentile: number;
  readonly ms: number;
}

/** Figures that are compared between algorithms, one number a repetition. Times in milliseconds. */
export const METRICS = [
  'meanMs',
  'p50Ms',
  'p90Ms',
  'p99Ms',
  'p999Ms',
  'maxMs',
  'failedShare',
  'jain',
  'variation',
  'maxOverMean',
  'connectionSpread',
  'peakConnections',
  'movedShare',
  'throughput',
] as const;
export type Metric = (typeof METRICS)[number];

/** What one algorithm did in one scenario with one seed. */
export interface RunResult {
  readonly seed: string;
  readonly connections: number;
  /** Answered in the measured window. */
  readonly requests: number;
  readonly failures: Readonly<Record<Failure, number>>;
  readonly metrics: Readonly<Record<Metric, number>>;
  readonly fairness: Fairness;
  /** How late the processes of the run were, together; live only. */
  readonly slip?: Slip;
}

export interface BackendResult {
  readonly name: string;
  readonly node: number;
  readonly weight: number;
  /** Means over the repetitions. */
  readonly connections: number;
  readonly requests: number;
  readonly peakConnections: number;
}

/** Load over time of the first repetition, for at most a few dozen backends. */
export interface TimelineResult {
  readonly intervalMs: number;
  /** Open connections at the end of each interval, one row a backend. */
  readonly open: readonly (readonly number[])[];
}

export interface AlgorithmResult {
  readonly name: string;
  readonly family: AlgorithmFamily | 'peer';
  readonly runs: readonly RunResult[];
  /** Over all repetitions together. */
  readonly latency: readonly PercentilePoint[];
  readonly backends: readonly BackendResult[];
  readonly timeline?: TimelineResult;
  /** Processor time of the proxy for each request, microseconds; live only. */
  readonly cpuUsPerRequest?: number;
  /** Repetitions that were run once more since the machine was disturbed; live only. */
  readonly redone?: number;
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly engine: 'sim' | 'live';
  readonly algorithms: readonly AlgorithmResult[];
}

/** Where and with what it ran; live results only, since a simulation does not depend on it. */
export interface MachineInfo {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly peers: Readonly<Record<string, string>>;
}

/** A whole report, as in results.json. Simulated ones hold nothing that depends on time or place. */
export interface BenchResult {
  readonly format: typeof RESULT_FORMAT;
  readonly podwire: string;
  readonly seed: string;
  readonly command: string;
  readonly machine?: MachineInfo;
  readonly scenarios: readonly ScenarioResult[];
}
