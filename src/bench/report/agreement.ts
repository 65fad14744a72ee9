import { align } from './align.ts';
import { formatQuantity } from './metric-info.ts';
import type { AlgorithmResult, BenchResult, RunResult, ScenarioResult } from './result.ts';
import { wasDisturbed } from './verdict.ts';

/** How far sockets may be from the simulation: docs/bench.md says why. The wider of the two counts. */
export const AGREEMENT_BOUNDS = {
  /** Of a pod's share, as a fraction of all requests. */
  share: 0.02,
  p50: { fraction: 0.1, ms: 10 },
  p99: { fraction: 0.25, ms: 25 },
} as const;

interface Pair {
  readonly simMs: number;
  readonly liveMs: number;
  readonly holds: boolean;
}

/**
 * One algorithm, simulated and live. Percentiles are medians over the repetitions during which the machine was
 * quiet; both engines ran them with the same seeds.
 */
export interface AgreementRow {
  readonly algorithm: string;
  /** The largest difference of a pod's share. */
  readonly shareGap: number;
  readonly p50: Pair;
  readonly p99: Pair;
  readonly quiet: number;
  /** `unknown`: too few repetitions were quiet to tell. */
  readonly holds: 'yes' | 'no' | 'unknown';
}

/** Of several repetitions one may have been disturbed; a median takes two. */
const LEAST_QUIET = 2;

export interface Agreement {
  readonly scenario: string;
  readonly rows: readonly AgreementRow[];
}

/** Of every scenario that was run with both engines. */
export function agreements({ scenarios }: BenchResult): Agreement[] {
  return scenarios
    .filter(({ engine }) => engine === 'live')
    .flatMap((live) => {
      const { name } = live.scenario;
      const sim = scenarios.find((one) => one.engine === 'sim' && one.scenario.name === name);
      return sim === undefined ? [] : [{ scenario: name, rows: agreementRows(sim, live) }];
    });
}

function agreementRows(sim: ScenarioResult, live: ScenarioResult): AgreementRow[] {
  return sim.algorithms.flatMap((simulated) => {
    const real = live.algorithms.find(({ name }) => name === simulated.name);
    return real === undefined ? [] : [rowOf(simulated, real)];
  });
}

function rowOf(simulated: AlgorithmResult, real: AlgorithmResult): AgreementRow {
  const quiet = real.runs.filter((run) => !wasDisturbed(run));
  const seeds = new Set(quiet.map(({ seed }) => seed));
  const same = simulated.runs.filter(({ seed }) => seeds.has(seed));
  const realShares = shares(real);
  const gaps = shares(simulated).map((share, pod) => Math.abs(share - (realShares[pod] ?? 0)));
  const shareGap = Math.max(0, ...gaps);
  const pair = (metric: 'p50Ms' | 'p99Ms', bound: { fraction: number; ms: number }): Pair => {
    const simMs = medianOf(same, metric);
    const liveMs = medianOf(quiet, metric);
    const allowed = Math.max(bound.ms, simMs * bound.fraction);
    return { simMs, liveMs, holds: Math.abs(liveMs - simMs) <= allowed };
  };
  const p50 = pair('p50Ms', AGREEMENT_BOUNDS.p50);
  const p99 = pair('p99Ms', AGREEMENT_BOUNDS.p99);
  const within = shareGap <= AGREEMENT_BOUNDS.share && p50.holds && p99.holds;
  const enough = quiet.length >= Math.min(LEAST_QUIET, real.runs.length);
  const holds = !enough ? 'unknown' : within ? 'yes' : 'no';
  return { algorithm: simulated.name, shareGap, p50, p99, quiet: quiet.length, holds };
}

function shares({ backends }: AlgorithmResult): number[] {
  const total = backends.reduce((sum, { requests }) => sum + requests, 0);
  return backends.map(({ requests }) => (total === 0 ? 0 : requests / total));
}

function medianOf(runs: readonly RunResult[], metric: 'p50Ms' | 'p99Ms'): number {
  const values = runs.map(({ metrics }) => metrics[metric]).toSorted((a, b) => a - b);
  const middle = (values.length - 1) / 2;
  return ((values[Math.floor(middle)] ?? 0) + (values[Math.ceil(middle)] ?? 0)) / 2;
}

export const AGREEMENT_HEADER: readonly string[] = [
  'algorithm',
  'shares differ by %',
  'p50 sim ms',
  'p50 live ms',
  'p99 sim ms',
  'p99 live ms',
  'quiet repetitions',
  'within bounds',
];

export function agreementCells(row: AgreementRow): string[] {
  return [
    row.algorithm,
    (row.shareGap * 100).toFixed(2),
    formatQuantity(row.p50.simMs),
    formatQuantity(row.p50.liveMs),
    formatQuantity(row.p99.simMs),
    formatQuantity(row.p99.liveMs),
    String(row.quiet),
    row.holds === 'unknown' ? 'machine too busy' : row.holds,
  ];
}

export function boundsText(): string {
  const { share, p50, p99 } = AGREEMENT_BOUNDS;
  const bound = ({ fraction, ms }: { fraction: number; ms: number }): string =>
    `${fraction * 100} % or ${ms} ms`;
  return `Bounds: a pod's share within ${share * 100} % of all requests, p50 within ${bound(p50)}, p99 within ${bound(p99)}.`;
}

/** For a terminal. */
export function agreementText({ scenario, rows }: Agreement): string {
  return [
    `${scenario}: simulated and on real sockets`,
    '',
    ...align([AGREEMENT_HEADER, ...rows.map(agreementCells)]),
    '',
    boundsText(),
    '',
  ].join('\n');
}
