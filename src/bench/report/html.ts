import { formatMargin, formatMetric, METRIC_INFO, metricInterval } from './metric-info.ts';
import { intervalDots } from './plots/interval-dots.ts';
import { latencyCurves } from './plots/latency-curves.ts';
import { loadHeatmap, mostOpenConnections } from './plots/load-heatmap.ts';
import { overviewHeatmap } from './plots/overview-heatmap.ts';
import { escapeXml } from './plots/svg.ts';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.ts';
import type {
  AlgorithmResult,
  BenchResult,
  MachineInfo,
  Metric,
  ScenarioResult,
} from './result.ts';
import { verdicts } from './verdict.ts';

const TABLE: readonly Metric[] = [
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
/** Pictures of load over time, at most. */
const MAX_HEATMAPS = 12;

/** One file that needs nothing else: styles, script and pictures are inside. */
export function htmlReport(result: BenchResult): string {
  const names = result.scenarios.map(({ scenario }) => scenario.name).join(', ');
  const several = result.scenarios.length > 1 ? overview(result) : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>podwire bench: ${escapeXml(names)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>Which load balancing, for which workload?</h1>
<p class="command"><code>${escapeXml(result.command)}</code></p>
<p class="provenance">${escapeXml(provenance(result))}</p>
</header>
<main>
${several}
${result.scenarios.map((scenario) => section(scenario, result)).join('\n')}
</main>
<footer>
<p>Latency runs from the moment a request was due, not from when it could be sent, so waiting for a slow
system counts (no coordinated omission). Intervals are 95 % confidence intervals over repetitions with
different seeds (Student's t). A sentence about a winner is written only where they separate.</p>
</footer>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function provenance({ podwire, seed, machine }: BenchResult): string {
  const where = machine === undefined ? 'simulated: the same on every machine' : describe(machine);
  return `podwire ${podwire} · seed ${seed} · ${where}`;
}

function describe({ cpu, cores, memoryGiB, system, node, peers }: MachineInfo): string {
  const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
  return [`${cpu}, ${cores} cores, ${memoryGiB} GiB`, system, `Node.js ${node}`, ...versions].join(
    ' · ',
  );
}

function overview(result: BenchResult): string {
  return `<section>
<h2>All scenarios</h2>
<figure class="wide">${overviewHeatmap(result.scenarios, 'p99Ms')}
<figcaption>p99 latency (ms). The darker, the more times the best of its row; full colour from 10 times on.
n and confidence intervals are told below, scenario by scenario. ${escapeXml(provenance(result))}.</figcaption></figure>
</section>`;
}

function section(scenario: ScenarioResult, result: BenchResult): string {
  const { name, question, lookFor } = scenario.scenario;
  const caption = `${sampleSize(scenario)} · ${provenance(result)}`;
  const sentences = found(scenario)
    .map((sentence) => `<p>${escapeXml(sentence)}</p>`)
    .join('\n');
  return `<section id="${escapeXml(name)}">
<h2>${escapeXml(name)} <span class="engine">${scenario.engine}</span></h2>
<p class="question">${escapeXml(question)}</p>
<div class="verdict">${sentences}</div>
<figure>${latencyCurves(scenario)}
<figcaption>Latency (ms, logarithmic) by percentile, all repetitions together. ${escapeXml(caption)}.</figcaption></figure>
<div class="row">
${dots(scenario, ['p99Ms', 'connectionSpread', 'failedShare'], caption)}
</div>
${table(scenario)}
${loads(scenario, caption)}
<p class="look"><b>What to look for.</b> ${escapeXml(lookFor)}</p>
</section>`;
}

/** The verdicts, or why there are none. */
function found(scenario: ScenarioResult): string[] {
  const sentences = verdicts(scenario);
  if (sentences.length > 0) return sentences;
  return (scenario.algorithms[0]?.runs.length ?? 0) < 2
    ? ['One repetition says nothing of the spread, so no winner is named; repeat with --seeds 3.']
    : ['The confidence intervals overlap: no algorithm can be called better here.'];
}

function sampleSize(scenario: ScenarioResult): string {
  const [first] = scenario.algorithms;
  const runs = first?.runs.length ?? 0;
  const requests = first?.runs.reduce((sum, run) => sum + run.requests, 0) ?? 0;
  return `n = ${requests.toLocaleString('en-US')} requests an algorithm in ${runs} ${runs === 1 ? 'repetition' : 'repetitions'}`;
}

function dots(scenario: ScenarioResult, metrics: readonly Metric[], caption: string): string {
  return metrics
    .flatMap((metric) => {
      const picture = intervalDots(scenario, metric);
      const { about } = METRIC_INFO[metric];
      const note = `${about[0]?.toUpperCase()}${about.slice(1)}: mean and 95 % confidence interval. ${caption}.`;
      return picture === ''
        ? []
        : [`<figure>${picture}<figcaption>${escapeXml(note)}</figcaption></figure>`];
    })
    .join('\n');
}

function table(scenario: ScenarioResult): string {
  const metrics = scenario.scenario.events.length > 0 ? [...TABLE, 'movedShare' as const] : TABLE;
  const cpu = scenario.algorithms.some((one) => one.cpuUsPerRequest !== undefined);
  const head = metrics.map((metric) => {
    const { label, unit, about } = METRIC_INFO[metric];
    return `<th title="${escapeXml(about)}">${label}${unit === '' ? '' : ` <small>${unit}</small>`}</th>`;
  });
  const rows = scenario.algorithms.map((algorithm) => tableRow(algorithm, metrics, cpu));
  return `<div class="scroll"><table>
<thead><tr><th>algorithm</th>${head.join('')}<th title="chi-square of requests a pod over its degrees of freedom">χ²/df</th>${cpu ? '<th title="processor time of the proxy">CPU <small>µs/req</small></th>' : ''}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

function tableRow(algorithm: AlgorithmResult, metrics: readonly Metric[], cpu: boolean): string {
  const cells = metrics.map((metric) => {
    const interval = metricInterval(algorithm, metric);
    return `<td title="${escapeXml(formatMargin(metric, interval))}">${formatMetric(metric, interval.mean)}</td>`;
  });
  const degrees = Math.max(1, algorithm.backends.length - 1);
  const chi =
    algorithm.runs.reduce((sum, run) => sum + run.fairness.chiSquare, 0) /
    algorithm.runs.length /
    degrees;
  const cpuCell = cpu ? `<td>${algorithm.cpuUsPerRequest?.toFixed(0) ?? '–'}</td>` : '';
  return `<tr data-series="${escapeXml(algorithm.name)}"><th>${escapeXml(algorithm.name)}</th>${cells.join('')}<td>${chi.toPrecision(3)}</td>${cpuCell}</tr>`;
}

function loads(scenario: ScenarioResult, caption: string): string {
  const most = mostOpenConnections(scenario);
  const pictures = scenario.algorithms
    .slice(0, MAX_HEATMAPS)
    .map((algorithm) => loadHeatmap(scenario, algorithm, most))
    .filter((picture) => picture !== '');
  if (pictures.length === 0) return '';
  const note = `Open connections at each pod over time, first repetition; full colour is ${Math.round(most)} connections. ${caption}.`;
  return `<figure class="loads"><div class="row">${pictures.map((picture) => `<div>${picture}</div>`).join('\n')}</div>
<figcaption>${escapeXml(note)}</figcaption></figure>`;
}
