import { ALGORITHMS } from '../../algorithms/registry.ts';
import { formatMetric, METRIC_INFO, metricInterval } from '../metric-info.ts';
import type { Metric, ScenarioResult } from '../result.ts';
import { SLANT, slantedRoom } from './slanted-room.ts';
import { element, escapeXml, shortened, svgDocument, textElement, widthOf } from './svg.ts';

const CELL = 56;
const ROW = 24;
const LEGEND = 40;

/** Algorithm × scenario: how many times the best of its scenario, for a figure where lower is better. */
export function overviewHeatmap(
  scenarios: readonly ScenarioResult[],
  metric: Metric,
  /** This many times the best is the full colour. */
  worstRatio: number,
): string {
  const names = columnsOf(scenarios);
  const labels = scenarios.map(({ scenario }) => shortened(scenario.name));
  const left = Math.max(120, widthOf(labels) + 12);
  const slanted = slantedRoom(names);
  const top = 16 + slanted.height;
  const bottom = top + scenarios.length * ROW;
  const columns = names.map((name, index) =>
    textElement(0, 0, name, {
      transform: `translate(${left + index * CELL + CELL / 2} ${top - 8}) rotate(-${SLANT})`,
    }),
  );
  const rows = scenarios.flatMap((scenario, index) => {
    const y = top + index * ROW;
    const label = textElement(left - 8, y + ROW / 2 + 4, labels[index] ?? '', {
      'text-anchor': 'end',
    });
    return [label, ...cellsOf(scenario, names, metric, worstRatio, { x: left, y })];
  });
  const { label, unit } = METRIC_INFO[metric];
  const unitName = unit === '' ? 'ratio' : unit;
  return svgDocument(
    Math.max(left + names.length * CELL + slanted.overhang, left + 5 * CELL),
    bottom + LEGEND,
    `${label} (${unitName}) by algorithm and scenario, coloured by the ratio to the best of the scenario`,
    [
      textElement(2, 12, `${label} (${unitName})`, { class: 'strong' }),
      ...columns,
      ...rows,
      ...legend(worstRatio, left, bottom + 14),
    ].join(''),
  );
}

/** In the order of the registry, peers last, so that reports are laid out alike. */
function columnsOf(scenarios: readonly ScenarioResult[]): string[] {
  const present = new Set(
    scenarios.flatMap(({ algorithms }) => algorithms.map(({ name }) => name)),
  );
  const known = ALGORITHMS.map(({ name }) => name).filter((name) => present.delete(name));
  return [...known, ...present];
}

function cellsOf(
  result: ScenarioResult,
  names: readonly string[],
  metric: Metric,
  worstRatio: number,
  corner: { readonly x: number; readonly y: number },
): string[] {
  const means = new Map(
    result.algorithms.map((algorithm) => [algorithm.name, metricInterval(algorithm, metric).mean]),
  );
  const best = Math.min(...means.values());
  return names.flatMap((name, column) => {
    const mean = means.get(name);
    if (mean === undefined) return [];
    const ratio = best === 0 ? (mean === 0 ? 1 : worstRatio) : mean / best;
    const text = formatMetric(metric, mean);
    const tip = `${result.scenario.name}, ${name}: ${text} ${METRIC_INFO[metric].unit}, ${ratio.toFixed(2)} × the best`;
    return cell(corner.x + column * CELL, corner.y, ratio, worstRatio, text, tip);
  });
}

function cell(
  x: number,
  y: number,
  ratio: number,
  worstRatio: number,
  text: string,
  tip: string,
): string[] {
  const heat = Math.min(1, Math.log(ratio) / Math.log(worstRatio));
  const box = {
    class: 'more',
    'fill-opacity': (0.04 + 0.7 * heat).toFixed(2),
    x,
    y,
    width: CELL - 2,
    height: ROW - 2,
  };
  return [
    element('rect', box, element('title', {}, escapeXml(tip))),
    textElement(x + CELL / 2 - 1, y + ROW / 2 + 3, text, { 'text-anchor': 'middle' }),
  ];
}

/** What the colours mean, from the best to so many times the best. */
function legend(worstRatio: number, left: number, y: number): string[] {
  const steps = [0, 1 / 3, 2 / 3, 1].map((part) => worstRatio ** part);
  const boxes = steps.flatMap((ratio, index) => {
    const times = Number(ratio.toFixed(1));
    const text = `${index === steps.length - 1 ? '≥ ' : ''}${times}`;
    return cell(left + index * CELL, y, ratio, worstRatio, text, `${times} times the best`);
  });
  const name = textElement(left - 8, y + ROW / 2 + 3, 'times the best', {
    'text-anchor': 'end',
    class: 'muted',
  });
  return [name, ...boxes];
}
