import { PodwireError } from '../../base/errors.ts';
import { separate } from '../stats/interval.ts';
import { align } from './align.ts';
import { formatMetric, METRIC_INFO, metricInterval } from './metric-info.ts';
import { type AlgorithmResult, type BenchResult, METRICS, RESULT_FORMAT } from './result.ts';

/** Smaller changes than this are not worth a line, even where the intervals separate. */
const LEAST_CHANGE = 0.005;

/** Reads results.json. Throws PodwireError `ERR_BENCH_RESULT` for anything else. */
export function parseResult(text: string, where: string): BenchResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PodwireError('ERR_BENCH_RESULT', `${where} is not JSON`, { cause });
  }
  const format =
    typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format === RESULT_FORMAT) return value as BenchResult;
  throw new PodwireError(
    'ERR_BENCH_RESULT',
    `${where} is not a result of podwire bench: format is ${String(format)}, not ${RESULT_FORMAT}`,
  );
}

/** What changed between two results: every figure whose confidence intervals separate. */
export function compareResults(before: BenchResult, after: BenchResult): string {
  const rows = after.scenarios.flatMap((scenario) => {
    const old = before.scenarios.find(
      (candidate) =>
        candidate.scenario.name === scenario.scenario.name && candidate.engine === scenario.engine,
    );
    return scenario.algorithms.flatMap((algorithm) => {
      const earlier = old?.algorithms.find(({ name }) => name === algorithm.name);
      return earlier === undefined ? [] : changes(scenario.scenario.name, earlier, algorithm);
    });
  });
  if (rows.length === 0) return 'Nothing changed beyond the confidence intervals.\n';
  const header = ['scenario algorithm', 'figure', 'before', 'after', 'change', ''];
  return `${align([header, ...rows]).join('\n')}\n`;
}

function changes(scenario: string, before: AlgorithmResult, after: AlgorithmResult): string[][] {
  return METRICS.flatMap((metric) => {
    const old = metricInterval(before, metric);
    const now = metricInterval(after, metric);
    const change = old.mean === 0 ? (now.mean === 0 ? 0 : Infinity) : now.mean / old.mean - 1;
    if (!separate(old, now) || Math.abs(change) < LEAST_CHANGE) return [];
    const { label, unit, better } = METRIC_INFO[metric];
    const isBetter = change < 0 === (better === 'lower');
    return [
      [
        `${scenario} ${after.name}`,
        `${label} ${unit}`.trim(),
        formatMetric(metric, old.mean),
        formatMetric(metric, now.mean),
        Number.isFinite(change) ? `${change > 0 ? '+' : ''}${(change * 100).toFixed(1)} %` : 'new',
        isBetter ? 'better' : 'worse',
      ],
    ];
  });
}
