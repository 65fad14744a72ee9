import { PodwireError } from '../../base/errors.ts';
import { Fields, type Problem } from '../scenario/fields.ts';
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
  const problems: Problem[] = [];
  checkResult(new Fields(value, '', problems));
  const [problem] = problems;
  if (problem === undefined) return value as BenchResult;
  const { path, message } = problem;
  throw new PodwireError(
    'ERR_BENCH_RESULT',
    `${where} is not a result of this podwire bench: ${path}: ${message}`,
  );
}

/** What is compared has to be there; the rest of the file is of no concern. */
function checkResult(root: Fields): void {
  root.oneOf('format', [RESULT_FORMAT]);
  if (!root.has('scenarios')) root.problem('scenarios', 'is required');
  for (const scenario of root.objects('scenarios')) {
    scenario.oneOf('engine', ['sim', 'live']);
    scenario.object('scenario').text('name');
    for (const algorithm of scenario.objects('algorithms')) {
      algorithm.text('name');
      for (const run of algorithm.objects('runs')) {
        const metrics = run.object('metrics');
        for (const metric of METRICS) metrics.number(metric, {});
      }
    }
  }
}

interface Pair {
  readonly scenario: string;
  readonly before: AlgorithmResult;
  readonly after: AlgorithmResult;
}

/** What changed between two results: every figure whose confidence intervals separate. */
export function compareResults(before: BenchResult, after: BenchResult): string {
  const pairs = pairsOf(before, after);
  if (pairs.length === 0)
    return 'Nothing can be compared: no algorithm was run in the same scenario with the same engine.\n';
  if (pairs.every((pair) => pair.before.runs.length < 2 || pair.after.runs.length < 2))
    return 'Nothing can be said: one repetition tells nothing of the spread; repeat both with --seeds 3.\n';
  const rows = pairs.flatMap(changes);
  if (rows.length === 0) return 'Nothing changed beyond the confidence intervals.\n';
  const header = ['scenario algorithm', 'figure', 'before', 'after', 'change', ''];
  return `${align([header, ...rows]).join('\n')}\n`;
}

function pairsOf(before: BenchResult, after: BenchResult): Pair[] {
  return after.scenarios.flatMap(({ scenario, engine, algorithms }) => {
    const old = before.scenarios.find(
      (one) => one.scenario.name === scenario.name && one.engine === engine,
    );
    return algorithms.flatMap((algorithm) => {
      const earlier = old?.algorithms.find(({ name }) => name === algorithm.name);
      return earlier === undefined
        ? []
        : [{ scenario: scenario.name, before: earlier, after: algorithm }];
    });
  });
}

function changes({ scenario, before, after }: Pair): string[][] {
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
