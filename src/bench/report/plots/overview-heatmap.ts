import { ALGORITHMS } from '../../algorithms/registry.ts';
import { formatMetric, METRIC_INFO, metricInterval } from '../metric-info.ts';
import type { Metric, ScenarioResult } from '../result.ts';
import { element, escapeXml, svgDocument, textElement } from './svg.ts';

const LEFT = 150;
const CELL = 62;
const ROW = 24;
const TOP = 104;
/** Room for the last column's slanted name. */
const LABEL_OVERHANG = 70;
/** This many times the best is the full colour. */
const WORST_RATIO = 10;

/** Algorithm × scenario: how many times the best of its scenario, for a figure where lower is better. */
export function overviewHeatmap(scenarios: readonly ScenarioResult[], metric: Metric): string {
  const names = columnsOf(scenarios);
  const width = LEFT + names.length * CELL + LABEL_OVERHANG;
  const height = TOP + scenarios.length * ROW + 8;
  const columns = names.map((name, index) =>
    textElement(0, 0, name, {
      transform: `translate(${LEFT + index * CELL + CELL / 2} ${TOP - 8}) rotate(-40)`,
    }),
  );
  const rows = scenarios.flatMap((scenario, index) =>
    rowOf(scenario, names, metric, TOP + index * ROW),
  );
  const { label, unit } = METRIC_INFO[metric];
  const title = `${label} in ${unit} by algorithm and scenario, coloured by the ratio to the best of the scenario`;
  const heading = textElement(2, 12, `${label} (${unit})`, { class: 'strong' });
  return svgDocument(width, height, title, [heading, ...columns, ...rows].join(''));
}

/** In the order of the registry, peers last, so that reports are laid out alike. */
function columnsOf(scenarios: readonly ScenarioResult[]): string[] {
  const present = new Set(
    scenarios.flatMap(({ algorithms }) => algorithms.map(({ name }) => name)),
  );
  const known = ALGORITHMS.map(({ name }) => name).filter((name) => present.delete(name));
  return [...known, ...present];
}

function rowOf(
  result: ScenarioResult,
  names: readonly string[],
  metric: Metric,
  y: number,
): string[] {
  const means = new Map(
    result.algorithms.map((algorithm) => [algorithm.name, metricInterval(algorithm, metric).mean]),
  );
  const best = Math.min(...means.values());
  const label = textElement(LEFT - 8, y + ROW / 2 + 4, result.scenario.name, {
    'text-anchor': 'end',
  });
  const cells = names.flatMap((name, column) => {
    const mean = means.get(name);
    if (mean === undefined) return [];
    const ratio = best === 0 ? 1 : mean / best;
    const heat = Math.min(1, Math.log(ratio) / Math.log(WORST_RATIO));
    const tip = `${result.scenario.name}, ${name}: ${formatMetric(metric, mean)} ${METRIC_INFO[metric].unit}, ${ratio.toFixed(2)} × the best`;
    const x = LEFT + column * CELL;
    return [
      element(
        'rect',
        {
          class: 'f1',
          'fill-opacity': (0.04 + 0.76 * heat).toFixed(2),
          x,
          y,
          width: CELL - 2,
          height: ROW - 2,
        },
        element('title', {}, escapeXml(tip)),
      ),
      textElement(x + CELL / 2 - 1, y + ROW / 2 + 3, formatMetric(metric, mean), {
        'text-anchor': 'middle',
      }),
    ];
  });
  return [label, ...cells];
}
