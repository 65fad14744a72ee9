import { isDisturbed } from '../live/slip.ts';
import { type Interval, separate } from '../stats/interval.ts';
import {
  formatMetric,
  formatQuantity,
  isTold,
  METRIC_INFO,
  metricInterval,
} from './metric-info.ts';
import type { AlgorithmResult, Metric, RunResult, ScenarioResult } from './result.ts';

interface Ranked {
  readonly name: string;
  readonly interval: Interval;
}

/** What a reader most wants to know, in this order. */
const JUDGED: readonly Metric[] = ['p99Ms', 'failedShare', 'connectionSpread'];

/**
 * Sentences that the figures bear out: one is only written when the confidence intervals of the first and
 * of others separate, and it says of which ones they do not. Points of reference are not judged, only named as
 * the bound they are.
 */
export function verdicts(result: ScenarioResult): string[] {
  const judged = result.algorithms.filter(({ family }) => family !== 'reference');
  return JUDGED.flatMap((metric) => {
    const sentence = verdictOn(metric, judged);
    return sentence === undefined ? [] : [`${sentence}${boundOf(metric, result)}`];
  });
}

/** What a reader should doubt, and what was done about it. */
export function warnings({ algorithms }: ScenarioResult): string[] {
  const disturbed = algorithms.filter(({ runs }) => runs.some(wasDisturbed));
  const redone = algorithms.reduce((sum, one) => sum + (one.redone ?? 0), 0);
  const again =
    redone === 0
      ? []
      : [
          `${redone === 1 ? 'One repetition was' : `${redone} repetitions were`} run again, since the machine had other things to do.`,
        ];
  if (disturbed.length === 0) return again;
  const slips = disturbed.flatMap(({ runs }) => runs.flatMap(({ slip }) => slip ?? []));
  const mean = Math.max(...slips.map(({ meanMs }) => meanMs));
  const p99 = Math.max(...slips.map(({ p99Ms }) => p99Ms));
  const rows = disturbed.length === algorithms.length ? 'all rows' : namesOf(disturbed);
  return [
    ...again,
    `The machine was busy: what was due came up to ${formatQuantity(mean)} ms late on average, one time in a hundred ${formatQuantity(p99)} ms or more, which counts as latency. Doubt ${rows}.`,
  ];
}

/** The machine, not the algorithm, made what it measured. Never true of a simulation. */
export function wasDisturbed({ slip }: RunResult): boolean {
  return slip !== undefined && isDisturbed(slip);
}

function verdictOn(metric: Metric, algorithms: readonly AlgorithmResult[]): string | undefined {
  if (!algorithms.every((algorithm) => isTold(algorithm, metric))) return undefined;
  const ranked = rank(metric, algorithms);
  const [best] = ranked;
  if (best === undefined) return undefined;
  const separated = ranked.filter(({ interval }) => separate(interval, best.interval));
  const [next] = separated;
  if (next === undefined) return undefined;
  const firstWorse = ranked.indexOf(next);
  const tied = ranked.slice(0, firstWorse);
  const unclear = ranked.slice(firstWorse).filter((one) => !separated.includes(one));
  const sentence = unclear.length === 0 ? superlative : comparison;
  return `${sentence(metric, tied, separated)}${proviso(unclear)}.`;
}

/** All others are worse for certain. */
function superlative(metric: Metric, tied: readonly Ranked[], rest: readonly Ranked[]): string {
  const { about, better } = METRIC_INFO[metric];
  const extreme = better === 'lower' ? 'lowest' : 'highest';
  const has = tied.length === 1 ? 'has' : 'have';
  const apart = tied.length === 1 ? '' : ', and cannot be told apart';
  const others =
    rest.length === 1
      ? `the other has ${rangeOf(metric, rest)} with ${namesOf(rest)}`
      : `the others have ${extremesOf(metric, rest)}`;
  return `${namesOf(tied)} ${has} the ${extreme} ${about}, ${rangeOf(metric, tied)}${apart}; ${others}`;
}

/** Some are worse for certain, of others it cannot be said. */
function comparison(metric: Metric, tied: readonly Ranked[], worse: readonly Ranked[]): string {
  const { about, better } = METRIC_INFO[metric];
  const has = tied.length === 1 ? 'has' : 'have';
  const than =
    worse.length === 1
      ? `${namesOf(worse)} with ${rangeOf(metric, worse)}`
      : `${namesOf(worse)} with ${extremesOf(metric, worse)}`;
  return `${namesOf(tied)} ${has} a ${better} ${about}, ${rangeOf(metric, tied)}, than ${than}`;
}

function proviso(unclear: readonly Ranked[]): string {
  if (unclear.length === 0) return '';
  const vary = unclear.length === 1 ? 'varies' : 'vary';
  return `; ${namesOf(unclear)} ${vary} too much between repetitions to be told apart from the first`;
}

/** The best first. */
function rank(metric: Metric, algorithms: readonly AlgorithmResult[]): Ranked[] {
  const sign = METRIC_INFO[metric].better === 'lower' ? 1 : -1;
  return algorithms
    .map((algorithm) => ({ name: algorithm.name, interval: metricInterval(algorithm, metric) }))
    .toSorted((a, b) => sign * (a.interval.mean - b.interval.mean));
}

function boundOf(metric: Metric, result: ScenarioResult): string {
  const bound = result.algorithms.find(({ name }) => name === 'jsq');
  if (bound === undefined || metric === 'failedShare') return '';
  const interval = metricInterval(bound, metric);
  return ` With global knowledge (jsq) it is ${withUnit(metric, { name: bound.name, interval })}.`;
}

function rangeOf(metric: Metric, ranked: readonly Ranked[]): string {
  const [first, last] = [ranked[0], ranked.at(-1)].map((one) =>
    one === undefined ? '' : withUnit(metric, one),
  );
  return first === last ? `${first}` : `${first} to ${last}`;
}

function withUnit(metric: Metric, { interval }: Ranked): string {
  const { unit } = METRIC_INFO[metric];
  return `${formatMetric(metric, interval.mean)}${unit === '%' ? ' %' : unit === '' ? '' : ` ${unit}`}`;
}

/** From the best to the worst of several, with who that is. */
function extremesOf(metric: Metric, ranked: readonly Ranked[]): string {
  return [ranked[0], ranked.at(-1)]
    .map((one) => (one === undefined ? '' : `${withUnit(metric, one)} (${one.name})`))
    .join(' to ');
}

function namesOf(ranked: readonly { readonly name: string }[]): string {
  const names = ranked.map(({ name }) => name);
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}
