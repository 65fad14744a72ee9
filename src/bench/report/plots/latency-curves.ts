import type { ScenarioResult } from '../result.ts';
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
} from './svg.ts';

const WIDTH = 860;
const HEIGHT = 380;
const LEFT = 58;
const RIGHT = WIDTH - 160;
const TOP = 12;
const BOTTOM = HEIGHT - 42;
const LABEL_SPACING = 14;

/** Marks of the percentile axis, which is drawn over the share of slower requests, logarithmically. */
const PERCENTILES = [0, 50, 90, 99, 99.9, 99.99] as const;

/** Latency over percentile, one line an algorithm: the HdrHistogram plot, with a logarithmic time axis. */
export function latencyCurves(result: ScenarioResult): string {
  const times = result.algorithms.flatMap(({ latency }) => latency.map(({ ms }) => ms));
  if (times.length === 0) return '';
  // Below the tenth percentile of the fastest there is nothing to see but the clock.
  const low = Math.max(0.01, Math.min(...result.algorithms.map((one) => msAt(one.latency, 10))));
  const y = logScale(low, Math.max(...times, low * 2), BOTTOM, TOP);
  const title = `Latency in milliseconds over percentile, ${result.scenario.name}`;
  return svgDocument(WIDTH, HEIGHT, title, [axes(y), ...lines(result, y)].join(''));
}

function msAt(
  latency: ScenarioResult['algorithms'][number]['latency'],
  percentile: number,
): number {
  return latency.find((point) => point.percentile >= percentile)?.ms ?? Infinity;
}

/** 0 at the left, 99.99 at the right; what is beyond is drawn at the edge. */
function xOf(percentile: number): number {
  const share = Math.max(1 - percentile / 100, 1e-4);
  return LEFT + (-Math.log10(share) / 4) * (RIGHT - LEFT);
}

function axes(y: Scale): string {
  const horizontal = y.ticks.map(
    ({ value, label }) =>
      element('line', { class: 'grid', x1: LEFT, x2: RIGHT, y1: y.at(value), y2: y.at(value) }) +
      textElement(LEFT - 6, y.at(value) + 4, label, { 'text-anchor': 'end', class: 'muted' }),
  );
  const vertical = PERCENTILES.map(
    (percentile) =>
      element('line', {
        class: 'grid',
        x1: xOf(percentile),
        x2: xOf(percentile),
        y1: TOP,
        y2: BOTTOM,
      }) +
      textElement(xOf(percentile), BOTTOM + 16, percentile === 0 ? '0' : `p${percentile}`, {
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

function lines(result: ScenarioResult, y: Scale): string[] {
  const drawn = result.algorithms.filter(({ latency }) => latency.length > 0);
  const ends = drawn.map(({ latency }) => y.at(msAt(latency, 99.99)));
  const labels = spreadLabels(
    ends.map((end) => end + 4),
    LABEL_SPACING,
    TOP + 8,
    BOTTOM,
  );
  return drawn.map(({ name, latency }, index) => {
    const points = latency
      .filter(({ percentile }) => percentile < 100)
      .map(
        ({ percentile, ms }) => `${round(xOf(percentile))},${round(Math.min(y.at(ms), BOTTOM))}`,
      );
    const colour = seriesClass(index);
    const tip = element(
      'title',
      {},
      escapeXml(`${name}: p50 ${msAt(latency, 50)} ms, p99 ${msAt(latency, 99)} ms`),
    );
    const label = labels[index] ?? 0;
    const content = [
      element('polyline', { class: `line ${colour}`, points: points.join(' ') }, tip),
      element('polyline', {
        class: `line leader s${index % SERIES_COLOURS}`,
        points: `${RIGHT},${round(ends[index] ?? 0)} ${RIGHT + 14},${round(label - 4)}`,
      }),
      element('line', {
        class: `line ${colour}`,
        x1: RIGHT + 14,
        x2: RIGHT + 36,
        y1: label - 4,
        y2: label - 4,
      }),
      textElement(RIGHT + 41, label, name),
    ];
    return element('g', { class: 'series', 'data-series': name }, content.join(''));
  });
}
