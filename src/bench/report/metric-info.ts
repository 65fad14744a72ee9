import { type Interval, intervalOf } from '../stats/interval.ts';
import type { AlgorithmResult, Metric } from './result.ts';

/** How a figure is named, formatted and judged. */
export interface MetricInfo {
  readonly label: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly about: string;
}

export const METRIC_INFO: Readonly<Record<Metric, MetricInfo>> = {
  meanMs: { label: 'mean', unit: 'ms', better: 'lower', about: 'mean latency' },
  p50Ms: { label: 'p50', unit: 'ms', better: 'lower', about: 'median latency' },
  p90Ms: { label: 'p90', unit: 'ms', better: 'lower', about: '90th percentile of latency' },
  p99Ms: { label: 'p99', unit: 'ms', better: 'lower', about: '99th percentile of latency' },
  p999Ms: { label: 'p99.9', unit: 'ms', better: 'lower', about: '99.9th percentile of latency' },
  maxMs: { label: 'max', unit: 'ms', better: 'lower', about: 'longest latency' },
  failedShare: {
    label: 'failed',
    unit: '%',
    better: 'lower',
    about: 'share of requests without an answer',
  },
  jain: { label: 'Jain', unit: '', better: 'higher', about: "Jain's index of requests a pod" },
  variation: {
    label: 'CV',
    unit: '',
    better: 'lower',
    about: 'coefficient of variation of requests a pod',
  },
  maxOverMean: {
    label: 'max/mean',
    unit: '',
    better: 'lower',
    about: 'requests of the busiest pod over the mean',
  },
  connectionSpread: {
    label: 'conn max/mean',
    unit: '',
    better: 'lower',
    about: 'imbalance of open connections (fullest pod over mean)',
  },
  peakConnections: {
    label: 'peak conns',
    unit: '',
    better: 'lower',
    about: 'most connections open at one pod at once',
  },
  movedShare: {
    label: 'moved',
    unit: '%',
    better: 'lower',
    about: 'sources sent to another pod at their first connection after a change',
  },
  throughput: { label: 'answered', unit: '/s', better: 'higher', about: 'requests answered' },
};

export function metricInterval(result: AlgorithmResult, metric: Metric): Interval {
  return intervalOf(result.runs.map((run) => run.metrics[metric]));
}

/** The share of requests that are slower. */
const BEYOND: Partial<Record<Metric, number>> = { p90Ms: 0.1, p99Ms: 0.01, p999Ms: 0.001 };
/** A percentile that fewer requests of a repetition exceed is a matter of luck. */
const LEAST_BEYOND = 5;

/** False for a percentile that so few requests do not bear out. */
export function isTold({ runs }: AlgorithmResult, metric: Metric): boolean {
  const beyond = BEYOND[metric];
  return beyond === undefined || runs.every(({ requests }) => requests * beyond >= LEAST_BEYOND);
}

/** The mean of a figure in a table; a dash where it cannot be told. */
export function figureOf(result: AlgorithmResult, metric: Metric): string {
  return isTold(result, metric) ? formatMetric(metric, metricInterval(result, metric).mean) : '–';
}

/** A figure as people read it, without its unit: three significant digits, percent for shares. */
export function formatMetric(metric: Metric, value: number): string {
  const { unit } = METRIC_INFO[metric];
  if (unit === '%') return (value * 100).toFixed(value > 0 && value < 0.1 ? 2 : 1);
  if (metric === 'jain' || metric === 'variation') return value.toFixed(3);
  if (unit === '') return metric === 'peakConnections' ? value.toFixed(0) : value.toFixed(2);
  return formatQuantity(value);
}

/** Three significant digits, thousands set apart. */
export function formatQuantity(value: number): string {
  if (!Number.isFinite(value)) return '∞';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 1 || size === 0 ? value.toFixed(2) : value.toPrecision(2);
}

/** `±` half the width of the interval; empty when one repetition tells nothing of it. */
export function formatMargin(metric: Metric, { low, high, n }: Interval): string {
  return n < 2 ? '' : `±${formatMetric(metric, (high - low) / 2)}`;
}
