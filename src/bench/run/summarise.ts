import type { Algorithm } from '../algorithms/balancer.ts';
import type {
  AlgorithmResult,
  BackendResult,
  PercentilePoint,
  RunResult,
  TimelineResult,
} from '../report/result.ts';
import type { Slip } from '../live/slip.ts';
import type { Plan, PlannedAction } from '../scenario/plan.ts';
import { fairness } from '../stats/fairness.ts';
import { LatencyRecorder } from '../stats/latency-recorder.ts';
import { FAILURES, type Recorder } from '../stats/recorder.ts';

/** Percentiles of the curve: every fifth up to 90, then eight to each further nine, as far as 99.99. */
const CURVE: readonly number[] = [
  ...Array.from({ length: 18 }, (_, step) => step * 5),
  ...Array.from({ length: 25 }, (_, step) => percentileAt(1 + step / 8)),
  100,
];

/** 90 at one nine, 99.9 at three. */
function percentileAt(nines: number): number {
  return Number((100 - 100 * 10 ** -nines).toFixed(4));
}

/** Timelines of more backends than this are no picture any more, and large. */
const MAX_TIMELINE_BACKENDS = 60;

export interface SeededRun {
  readonly seed: string;
  readonly recorder: Recorder;
  /** Live only. */
  readonly slip?: Slip;
}

/** What the repetitions of one algorithm say. */
export function summarise(
  plan: Plan,
  algorithm: Pick<Algorithm, 'name'> & { readonly family: AlgorithmResult['family'] },
  runs: readonly SeededRun[],
): AlgorithmResult {
  const latency = new LatencyRecorder();
  for (const { recorder } of runs) latency.add(recorder.latency);
  const first = runs[0]?.recorder;
  const timeline =
    first === undefined || plan.backends.length > MAX_TIMELINE_BACKENDS
      ? {}
      : { timeline: timelineOf(first) };
  return {
    name: algorithm.name,
    family: algorithm.family,
    runs: runs.map((run) => summariseRun(plan, run)),
    latency: curveOf(latency),
    backends: plan.backends.map((_, index) => backendResult(plan, index, runs)),
    ...timeline,
  };
}

function summariseRun(plan: Plan, { seed, recorder, slip }: SeededRun): RunResult {
  const { latency, failures } = recorder;
  const histogram = latency.histogram();
  const at = (percentile: number): number =>
    Math.min(histogram.getValueAtPercentile(percentile) / 1000, latency.maxMs);
  const failed = FAILURES.reduce((sum, failure) => sum + failures[failure], 0);
  const total = latency.count + failed;
  const spread = fairness(...lastingBackends(plan, recorder));
  const measuredMs = plan.scenario.durationMs - plan.scenario.warmUpMs;
  return {
    seed,
    connections: recorder.totalConnections,
    requests: latency.count,
    failures: { ...failures },
    fairness: spread,
    ...(slip === undefined ? {} : { slip }),
    metrics: {
      meanMs: latency.meanMs,
      p50Ms: at(50),
      p90Ms: at(90),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: latency.maxMs,
      failedShare: total === 0 ? 0 : failed / total,
      jain: spread.jain,
      variation: spread.variation,
      maxOverMean: spread.maxOverMean,
      connectionSpread: recorder.connectionSpread,
      peakConnections: Math.max(0, ...recorder.peakConnections),
      movedShare: recorder.returned === 0 ? 0 : recorder.moved / recorder.returned,
      throughput: (latency.count * 1000) / measuredMs,
    },
  };
}

/** Requests and weights of the backends that were there for the whole measured window: only they compare. */
function lastingBackends(plan: Plan, recorder: Recorder): [number[], number[]] {
  const { warmUpMs } = plan.scenario;
  const passing = new Set(
    plan.actions
      .filter(({ kind, atMs }) => (kind === 'start' ? atMs > warmUpMs : leaves(kind)))
      .map(({ backend }) => backend),
  );
  const lasting = plan.backends.filter(({ index }) => !passing.has(index));
  return [
    lasting.map(({ index }) => recorder.requests[index] ?? 0),
    lasting.map(({ weight }) => weight),
  ];
}

function leaves(kind: PlannedAction['kind']): boolean {
  return kind === 'withdraw' || kind === 'kill';
}

function curveOf(latency: LatencyRecorder): PercentilePoint[] {
  if (latency.count === 0) return [];
  const histogram = latency.histogram();
  return CURVE.map((percentile) => ({
    percentile,
    ms: Math.min(histogram.getValueAtPercentile(percentile) / 1000, latency.maxMs),
  }));
}

function backendResult(plan: Plan, index: number, runs: readonly SeededRun[]): BackendResult {
  const mean = (value: (recorder: Recorder) => number | undefined): number =>
    runs.reduce((sum, { recorder }) => sum + (value(recorder) ?? 0), 0) / runs.length;
  const backend = plan.backends[index];
  return {
    name: backend?.name ?? '',
    node: backend?.node ?? 0,
    weight: backend?.weight ?? 0,
    connections: mean(({ connections }) => connections[index]),
    requests: mean(({ requests }) => requests[index]),
    peakConnections: mean(({ peakConnections }) => peakConnections[index]),
  };
}

function timelineOf({ timeline, requests }: Recorder): TimelineResult {
  const backends = requests.length;
  return {
    intervalMs: timeline.intervalMs,
    open: Array.from({ length: backends }, (_, backend) =>
      Array.from(
        { length: timeline.samples },
        (__, sample) => timeline.open[sample * backends + backend] ?? 0,
      ),
    ),
  };
}
