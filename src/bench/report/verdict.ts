import { type Interval, separate } from '../stats/interval.ts';
import { formatMetric, formatQuantity, METRIC_INFO, metricInterval } from './metric-info.ts';
import type { AlgorithmResult, Metric, ScenarioResult } from './result.ts';

interface Ranked {
  readonly name: string;
  readonly interval: Interval;
}

/** What a reader most wants to know, in this order. */
const JUDGED: readonly Metric[] = ['p99Ms', 'failedShare', 'connectionSpread'];

/**
 * Sentences that the figures bear out: one is only written when the confidence intervals of the first and
 * of the others separate. Points of reference are not judged, only named as the bound they are.
 */
export function verdicts(result: ScenarioResult): string[] {
  const judged = result.algorithms.filter(({ family }) => family !== 'reference');
  return JUDGED.flatMap((metric) => {
    const sentence = verdictOn(metric, judged);
    return sentence === undefined ? [] : [`${sentence}${boundOf(metric, result)}`];
  });
}

/** A load generator later than this has measured itself as well. */
const LATE_MS = 5;

/** What a reader should doubt. */
export function warnings({ algorithms }: ScenarioResult): string[] {
  const latest = Math.max(0, ...algorithms.map(({ lateP99Ms }) => lateP99Ms ?? 0));
  if (latest <= LATE_MS) return [];
  return [
    `The machine was busy: one in a hundred requests left ${formatQuantity(latest)} ms late or more, which counts as latency. Percentiles of a few milliseconds mean little here.`,
  ];
}

function verdictOn(metric: Metric, algorithms: readonly AlgorithmResult[]): string | undefined {
  const ranked = rank(metric, algorithms);
  const [best] = ranked;
  if (best === undefined || ranked.length < 2) return undefined;
  const rest = ranked.filter(({ interval }) => separate(interval, best.interval));
  const tied = ranked.filter(({ interval }) => !separate(interval, best.interval));
  const [next] = rest;
  const worst = rest.at(-1);
  if (next === undefined || worst === undefined) return undefined;
  const { about, better } = METRIC_INFO[metric];
  const extreme = better === 'lower' ? 'lowest' : 'highest';
  const range =
    rest.length === 1
      ? `${withUnit(metric, next)} with ${next.name}`
      : `${withUnit(metric, next)} (${next.name}) to ${withUnit(metric, worst)} (${worst.name})`;
  const subject =
    tied.length === 1
      ? `${best.name} has the ${extreme} ${about}, ${withUnit(metric, best)}`
      : `${list(tied.map(({ name }) => name))} have the ${extreme} ${about}, ${rangeOf(metric, tied)}, and cannot be told apart`;
  return `${subject}; the ${rest.length === 1 ? 'other has' : 'others have'} ${range}.`;
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

function list(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}
