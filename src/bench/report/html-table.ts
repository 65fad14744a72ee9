import { AGREEMENT_HEADER, type Agreement, agreementCells, boundsText } from './agreement.ts';
import {
  formatMargin,
  formatMetric,
  formatQuantity,
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

/** Every figure of a scenario, one row an algorithm; margins are told on pointing. */
export function metricsTable(scenario: ScenarioResult): string {
  const metrics =
    scenario.scenario.events.length > 0 ? [...COLUMNS, 'movedShare' as const] : COLUMNS;
  const cpu = scenario.algorithms.some((one) => one.cpuUsPerRequest !== undefined);
  const head = metrics.map((metric) => {
    const { label, unit, about } = METRIC_INFO[metric];
    return `<th title="${escapeXml(about)}">${label}${unit === '' ? '' : ` <small>${unit}</small>`}</th>`;
  });
  const cpuHead = cpu
    ? '<th title="processor time of the proxy">CPU <small>µs/req</small></th>'
    : '';
  const rows = scenario.algorithms.map((algorithm) => row(algorithm, metrics, cpu));
  return `<div class="scroll" tabindex="0"><table>
<thead><tr><th>algorithm</th>${head.join('')}<th title="chi-square of requests a pod over its degrees of freedom">χ²/df</th>${cpuHead}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function row(algorithm: AlgorithmResult, metrics: readonly Metric[], cpu: boolean): string {
  const cells = metrics.map((metric) => {
    const interval = metricInterval(algorithm, metric);
    return `<td title="${escapeXml(formatMargin(metric, interval))}">${formatMetric(metric, interval.mean)}</td>`;
  });
  const cpuCell = cpu ? `<td>${algorithm.cpuUsPerRequest?.toFixed(0) ?? '–'}</td>` : '';
  return `<tr data-series="${escapeXml(algorithm.name)}"><th>${escapeXml(algorithm.name)}</th>${cells.join('')}<td>${chiSquare(algorithm)}</td>${cpuCell}</tr>`;
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
