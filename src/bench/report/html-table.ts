import { AGREEMENT_HEADER, type Agreement, agreementCells, boundsText } from './agreement.ts';
import {
  figureOf,
  formatMargin,
  formatQuantity,
  isTold,
  METRIC_INFO,
  metricInterval,
} from './metric-info.ts';
import { escapeXml } from './plots/svg.ts';
import type { AlgorithmResult, Metric, ScenarioResult } from './result.ts';

const COLUMNS: readonly Metric[] = [
  'meanMs',
  'p50Ms',
  'p90Ms',
  'p99Ms',
  'p999Ms',
  'maxMs',
  'failedShare',
  'throughput',
  'jain',
  'variation',
  'maxOverMean',
  'connectionSpread',
  'peakConnections',
];

/** A column that is there for some scenarios only. */
interface Column {
  readonly head: string;
  readonly about: string;
  cell(algorithm: AlgorithmResult): string;
}

const CPU: Column = {
  head: 'CPU <small>µs/req</small>',
  about: 'processor time of the proxy for each answered request',
  cell: ({ cpuUsPerRequest }) => cpuUsPerRequest?.toFixed(0) ?? '–',
};

const LATE: Column = {
  head: 'late <small>ms</small>',
  about: 'how late the processes of the run were of themselves, on average: part of every latency',
  cell({ runs }) {
    const slips = runs.flatMap(({ slip }) => slip ?? []);
    const mean = slips.reduce((sum, { meanMs }) => sum + meanMs, 0) / slips.length;
    return slips.length === 0 ? '–' : formatQuantity(mean);
  },
};

const CHI_SQUARE: Column = {
  head: 'χ²/df',
  about: 'chi-square of requests a pod over its degrees of freedom',
  cell: chiSquare,
};

/** Every figure of a scenario, one row an algorithm; margins are told on pointing. */
export function metricsTable(scenario: ScenarioResult): string {
  const metrics =
    scenario.scenario.events.length > 0 ? [...COLUMNS, 'movedShare' as const] : COLUMNS;
  const further = scenario.engine === 'live' ? [CHI_SQUARE, CPU, LATE] : [CHI_SQUARE];
  const head = metrics.map((metric) => {
    const { label, unit, about } = METRIC_INFO[metric];
    return `<th title="${escapeXml(about)}">${label}${unit === '' ? '' : ` <small>${unit}</small>`}</th>`;
  });
  const furtherHead = further.map(
    (column) => `<th title="${escapeXml(column.about)}">${column.head}</th>`,
  );
  const rows = scenario.algorithms.map((algorithm) => row(algorithm, metrics, further));
  return `<div class="scroll" tabindex="0"><table>
<thead><tr><th>algorithm</th>${[...head, ...furtherHead].join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function row(
  algorithm: AlgorithmResult,
  metrics: readonly Metric[],
  further: readonly Column[],
): string {
  const cells = metrics.map((metric) => {
    const margin = isTold(algorithm, metric)
      ? formatMargin(metric, metricInterval(algorithm, metric))
      : 'too few requests to tell';
    return `<td title="${escapeXml(margin)}">${figureOf(algorithm, metric)}</td>`;
  });
  const furtherCells = further.map((column) => `<td>${column.cell(algorithm)}</td>`);
  return `<tr data-series="${escapeXml(algorithm.name)}"><th>${escapeXml(algorithm.name)}</th>${[...cells, ...furtherCells].join('')}</tr>`;
}

function chiSquare({ runs }: AlgorithmResult): string {
  const degrees = runs[0]?.fairness.degreesOfFreedom ?? 0;
  if (degrees === 0) return '–';
  const mean = runs.reduce((sum, run) => sum + run.fairness.chiSquare, 0) / runs.length;
  return mean < 0.005 * degrees ? '0.00' : formatQuantity(mean / degrees);
}

/** Both engines side by side. */
export function agreementTable({ rows }: Agreement): string {
  const head = AGREEMENT_HEADER.map((name) => `<th>${escapeXml(name)}</th>`).join('');
  const body = rows.map((one) => {
    const [name = '', ...cells] = agreementCells(one);
    return `<tr><th>${escapeXml(name)}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<div class="scroll" tabindex="0"><table>
<thead><tr>${head}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>
<p class="note">${escapeXml(boundsText())}</p>`;
}
