import { align } from './align.ts';
import { figureOf, formatMargin, isTold, METRIC_INFO, metricInterval } from './metric-info.ts';
import type { AlgorithmResult, Metric, ScenarioResult } from './result.ts';
import { verdicts, warnings } from './verdict.ts';

const COLUMNS: readonly Metric[] = [
  'p50Ms',
  'p90Ms',
  'p99Ms',
  'p999Ms',
  'maxMs',
  'failedShare',
  'jain',
  'maxOverMean',
  'connectionSpread',
];

/** One scenario for a terminal or a README: question, table, verdict. No colours, no trailing blanks. */
export function textReport(result: ScenarioResult): string {
  const { scenario, engine } = result;
  const [first] = result.algorithms;
  const runs = first?.runs.length ?? 0;
  const requests = first?.runs.reduce((sum, run) => sum + run.requests, 0) ?? 0;
  const heading = `${scenario.name} (${engine}, ${runs} ${runs === 1 ? 'seed' : 'seeds'}, ${requests.toLocaleString('en-US')} requests each algorithm)`;
  return [
    heading,
    scenario.question,
    '',
    ...tableLines(result),
    '',
    ...[...verdicts(result), ...warnings(result)].map((sentence) => wrap(sentence, 100)),
    '',
  ].join('\n');
}

function tableLines(result: ScenarioResult): string[] {
  const metrics = columnsFor(result);
  const showCpu = result.algorithms.some(({ cpuUsPerRequest }) => cpuUsPerRequest !== undefined);
  const header = [
    'algorithm',
    ...metrics.map((metric) => headerOf(metric)),
    ...(showCpu ? ['proxy CPU µs/req'] : []),
  ];
  const rows = result.algorithms.map((algorithm) => [
    algorithm.name,
    ...metrics.map((metric) => cell(algorithm, metric)),
    ...(showCpu ? [algorithm.cpuUsPerRequest?.toFixed(0) ?? '–'] : []),
  ]);
  return align([header, ...rows]);
}

/** `moved` means something only where something changes. */
function columnsFor({ scenario }: ScenarioResult): readonly Metric[] {
  return scenario.events.length === 0 ? COLUMNS : [...COLUMNS, 'movedShare'];
}

function headerOf(metric: Metric): string {
  const { label, unit } = METRIC_INFO[metric];
  return unit === '' ? label : `${label} ${unit}`;
}

function cell(algorithm: AlgorithmResult, metric: Metric): string {
  const text = figureOf(algorithm, metric);
  if (metric !== 'p99Ms' || !isTold(algorithm, metric)) return text;
  return `${text} ${formatMargin(metric, metricInterval(algorithm, metric))}`.trim();
}

function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
