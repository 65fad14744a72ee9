import { type Agreement, agreements } from './agreement.ts';
import { agreementTable, metricsTable } from './html-table.ts';
import { METRIC_INFO } from './metric-info.ts';
import { intervalDots } from './plots/interval-dots.ts';
import { latencyCurves } from './plots/latency-curves.ts';
import { loadHeatmap, mostOpenConnections } from './plots/load-heatmap.ts';
import { shareHeatmap } from './plots/share-heatmap.ts';
import { escapeXml } from './plots/svg.ts';
import { PAGE_SCRIPT, PAGE_STYLE } from './page-assets.ts';
import type { BenchResult, MachineInfo, Metric, ScenarioResult } from './result.ts';
import { overviews } from './overviews.ts';
import { verdicts, warnings } from './verdict.ts';

/** Pictures of load over time, at most. */
const MAX_HEATMAPS = 24;

/** One file that needs nothing else: styles, script and pictures are inside. */
export function htmlReport(result: BenchResult): string {
  const names = result.scenarios.map(({ scenario }) => scenario.name).join(', ');
  const several = result.scenarios.length > 1 ? overview(result) : '';
  const compared = agreements(result).map(agreementSection);
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
${compared.join('\n')}
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

function agreementSection(agreement: Agreement): string {
  return `<section>
<h2>${escapeXml(agreement.scenario)}: simulated and on real sockets</h2>
${agreementTable(agreement)}
</section>`;
}

function idOf({ scenario, engine }: ScenarioResult): string {
  return escapeXml(`${scenario.name}-${engine}`);
}

function overview(result: BenchResult): string {
  const links = result.scenarios.map(
    (one) => `<a href="#${idOf(one)}">${escapeXml(one.scenario.name)}</a>`,
  );
  const pictures = overviews(result.scenarios).map(({ svg, about }) => {
    const note = `${capital(about)}, mean of the repetitions; the stronger the colour, the more times the best of its row. n and confidence intervals are told below, scenario by scenario. ${provenance(result)}.`;
    return `<figure class="wide">${svg}\n<figcaption>${escapeXml(note)}</figcaption></figure>`;
  });
  return `<section>\n<nav>${links.join(' ')}</nav>
<h2>All scenarios</h2>
${pictures.join('\n')}
</section>`;
}

function section(scenario: ScenarioResult, result: BenchResult): string {
  const { name, question, lookFor } = scenario.scenario;
  const caption = `${sampleSize(scenario)} · ${provenance(result)}`;
  const sentences = found(scenario)
    .map((sentence) => `<p>${escapeXml(sentence)}</p>`)
    .join('\n');
  return `<section id="${idOf(scenario)}">
<h2>${escapeXml(name)} <span class="engine">${scenario.engine}</span></h2>
<p class="question">${escapeXml(question)}</p>
<p class="look"><b>What to look for.</b> ${escapeXml(lookFor)}</p>
<div class="verdict">${sentences}</div>
<figure class="wide">${latencyCurves(scenario)}
<figcaption>Latency (ms, logarithmic) by percentile, all repetitions together, as far as ten requests or more were slower. ${escapeXml(caption)}.</figcaption></figure>
<div class="row">
${dots(scenario, ['p99Ms', 'connectionSpread', 'failedShare'], caption)}
</div>
${shares(scenario, caption)}
${metricsTable(scenario)}
${loads(scenario, caption)}
</section>`;
}

/** The verdicts, or why there are none, and what to doubt. */
function found(scenario: ScenarioResult): string[] {
  const sentences = verdicts(scenario);
  const said = sentences.length > 0 ? sentences : [whyNone(scenario)];
  return [...said, ...warnings(scenario)];
}

function whyNone(scenario: ScenarioResult): string {
  return !repeated(scenario)
    ? 'One repetition says nothing of the spread, so no winner is named; repeat with --seeds 3.'
    : 'The confidence intervals overlap: no algorithm can be called better here.';
}

function repeated(scenario: ScenarioResult): boolean {
  return scenario.algorithms.some(({ runs }) => runs.length > 1);
}

function capital(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
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
      const what = repeated(scenario) ? 'mean and 95 % confidence interval' : 'one repetition';
      const note = `${capital(about)}: ${what}. ${caption}.`;
      return picture === ''
        ? []
        : [`<figure>${picture}<figcaption>${escapeXml(note)}</figcaption></figure>`];
    })
    .join('\n');
}

function shares(scenario: ScenarioResult, caption: string): string {
  const picture = shareHeatmap(scenario);
  if (picture === '') return '';
  const note = `Where requests went: percent of all, mean of the repetitions; orange is more than the pod's share of the weights, blue is less. ${caption}.`;
  return `<figure class="wide">${picture}<figcaption>${escapeXml(note)}</figcaption></figure>`;
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
