import { formatQuantity } from '../metric-info.ts';
import type { AlgorithmResult, PercentilePoint, ScenarioResult } from '../result.ts';
import { logScale, type Scale } from './scale.ts';
import { spreadLabels } from './spread-labels.ts';
import {
  element,
  escapeXml,
  round,
  SERIES_COLOURS,
  seriesClass,
  svgDocument,
  textElement,
  widthOf,
} from './svg.ts';

const HEIGHT = 380;
const LEFT = 58;
const RIGHT = 700;
const LABELS = RIGHT + 41;
const LEAST_WIDTH = 860;
const TOP = 12;
const BOTTOM = HEIGHT - 42;
const LABEL_SPACING = 14;

/** Marks of the percentile axis, which is drawn over the share of slower requests, logarithmically. */
const PERCENTILES = [0, 50, 90, 99, 99.9, 99.99] as const;
/** A percentile of which fewer requests than this are slower is a matter of luck: it is not drawn. */
const LEAST_BEYOND = 10;
const MOST_NINES = 4;

/** One line of the picture: algorithms whose curves are the same to the last point share one. */
interface Curve {
  readonly names: readonly string[];
  /** Its colour: the place of its first algorithm in the report. */
  readonly index: number;
  readonly points: readonly PercentilePoint[];
}

/** Latency over percentile, one line an algorithm: the HdrHistogram plot, with a logarithmic time axis. */
export function latencyCurves(result: ScenarioResult): string {
  const curves = curvesOf(result.algorithms);
  const times = curves.flatMap(({ points }) => points.map(({ ms }) => ms));
  if (times.length === 0) return '';
  // Below the tenth percentile of the fastest there is nothing to see but the clock.
  const low = Math.max(0.01, Math.min(...curves.map(({ points }) => msAt(points, 10))));
  const y = logScale(low, Math.max(...times, low * 2), BOTTOM, TOP);
  const x = xScale(Math.max(...curves.map(({ points }) => points.at(-1)?.percentile ?? 0)));
  const title = `Latency in milliseconds over percentile, ${result.scenario.name}`;
  const width = Math.max(LEAST_WIDTH, LABELS + widthOf(curves.map(({ names }) => labelOf(names))));
  return svgDocument(width, HEIGHT, title, [axes(x, y), ...lines(curves, x, y, low)].join(''));
}

function curvesOf(algorithms: readonly AlgorithmResult[]): Curve[] {
  const curves = new Map<string, Curve>();
  for (const [index, algorithm] of algorithms.entries()) {
    const points = told(algorithm);
    const key = points.map(({ ms }) => ms).join(' ');
    const same = curves.get(key);
    if (points.length > 0)
      curves.set(key, {
        names: [...(same?.names ?? []), algorithm.name],
        index: same?.index ?? index,
        points,
      });
  }
  return [...curves.values()];
}

/** The points that enough requests bear out. */
function told({ latency, runs }: AlgorithmResult): PercentilePoint[] {
  const requests = runs.reduce((sum, run) => sum + run.requests, 0);
  return latency.filter(
    ({ percentile }) =>
      percentile <= 90 || (percentile < 100 && requests * (1 - percentile / 100) >= LEAST_BEYOND),
  );
}

function msAt(points: readonly PercentilePoint[], percentile: number): number {
  return points.find((point) => point.percentile >= percentile)?.ms ?? Infinity;
}

/** From 0 at the left to the last percentile drawn at the right, by the logarithm of what is slower. */
function xScale(last: number): (percentile: number) => number {
  const nines = (percentile: number): number =>
    Math.min(MOST_NINES, -Math.log10(Math.max(1 - percentile / 100, 1e-9)));
  const span = Math.max(1, nines(last));
  return (percentile) => LEFT + (nines(percentile) / span) * (RIGHT - LEFT);
}

function axes(x: (percentile: number) => number, y: Scale): string {
  const horizontal = y.ticks.map(
    ({ value, label }) =>
      element('line', { class: 'grid', x1: LEFT, x2: RIGHT, y1: y.at(value), y2: y.at(value) }) +
      textElement(LEFT - 6, y.at(value) + 4, label, { 'text-anchor': 'end', class: 'muted' }),
  );
  const vertical = PERCENTILES.filter((percentile) => x(percentile) <= RIGHT + 0.5).map(
    (percentile) =>
      element('line', {
        class: 'grid',
        x1: x(percentile),
        x2: x(percentile),
        y1: TOP,
        y2: BOTTOM,
      }) +
      textElement(x(percentile), BOTTOM + 16, percentile === 0 ? '0' : `p${percentile}`, {
        'text-anchor': 'middle',
        class: 'muted',
      }),
  );
  const labels = [
    textElement((LEFT + RIGHT) / 2, HEIGHT - 6, 'percentile of requests', {
      'text-anchor': 'middle',
    }),
    textElement(0, 0, 'latency (ms)', {
      transform: `translate(12 ${round((TOP + BOTTOM) / 2)}) rotate(-90)`,
      'text-anchor': 'middle',
    }),
  ];
  return [...horizontal, ...vertical, ...labels].join('');
}

function lines(
  curves: readonly Curve[],
  x: (percentile: number) => number,
  y: Scale,
  low: number,
): string[] {
  const ends = curves.map(({ points }) => y.at(points.at(-1)?.ms ?? 0));
  const labels = spreadLabels(
    ends.map((end) => end + 4),
    LABEL_SPACING,
    TOP + 8,
    BOTTOM,
  );
  return curves.map(({ names, index, points }, at) => {
    const end = points.at(-1);
    const place = points
      .filter(({ ms }) => ms >= low)
      .map(({ percentile, ms }) => `${round(x(percentile))},${round(y.at(ms))}`);
    const label = labels[at] ?? 0;
    const content = [
      element(
        'polyline',
        { class: `line ${seriesClass(index)}`, points: place.join(' ') },
        element('title', {}, escapeXml(tipOf(names, points))),
      ),
      element('polyline', {
        class: `line leader s${index % SERIES_COLOURS}`,
        points: `${round(x(end?.percentile ?? 0))},${round(ends[at] ?? 0)} ${RIGHT + 14},${round(label - 4)}`,
      }),
      element('line', {
        class: `line ${seriesClass(index)}`,
        x1: RIGHT + 14,
        x2: RIGHT + 36,
        y1: label - 4,
        y2: label - 4,
      }),
      textElement(LABELS, label, labelOf(names)),
    ];
    return element('g', { class: 'series', 'data-series': names.join(' ') }, content.join(''));
  });
}

function labelOf(names: readonly string[]): string {
  return names.join(', ');
}

function tipOf(names: readonly string[], points: readonly PercentilePoint[]): string {
  const at = (percentile: number): string => {
    const ms = msAt(points, percentile);
    return Number.isFinite(ms) ? `, p${percentile} ${formatQuantity(ms)} ms` : '';
  };
  return `${labelOf(names)}${at(50)}${at(90)}${at(99)}`;
}
