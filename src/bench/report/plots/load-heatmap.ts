import type { AlgorithmResult, ScenarioResult } from '../result.ts';
import { linearScale } from './scale.ts';
import { element, round, shortened, svgDocument, textElement, widthOf } from './svg.ts';

const WIDTH = 330;
const RIGHT = WIDTH - 8;
const LEAST_LEFT = 46;
const TOP = 26;
const COLUMNS = 60;
const SHADES = 16;
const MAX_ROW = 14;
const MAX_BODY = 220;

/** Open connections at each backend over time. `most` is the full colour, the same for all pictures of a scenario. */
export function loadHeatmap(
  result: ScenarioResult,
  algorithm: AlgorithmResult,
  most: number,
): string {
  const rows = algorithm.timeline?.open ?? [];
  if (rows.length === 0) return '';
  const rowHeight = Math.min(MAX_ROW, MAX_BODY / rows.length);
  const bottom = TOP + rows.length * rowHeight;
  const seconds = ((algorithm.timeline?.intervalMs ?? 0) * (rows[0]?.length ?? 0)) / 1000;
  const pods = algorithm.backends.map(({ name }) => shortened(name));
  const left = Math.max(LEAST_LEFT, widthOf(pods) + 8);
  const x = linearScale(0, seconds, left, RIGHT, 5);
  const names = rowLabels(pods, rowHeight, left);
  const ticks = x.ticks.map(({ value, label }) =>
    textElement(x.at(value), bottom + 14, label, { 'text-anchor': 'middle', class: 'muted' }),
  );
  const axis = textElement((left + RIGHT) / 2, bottom + 28, 'time (s)', {
    'text-anchor': 'middle',
  });
  const heading = textElement(2, 12, algorithm.name, { class: 'strong' }) + legend(most);
  const title = `Open connections at each pod over time with ${algorithm.name}, ${result.scenario.name}`;
  return svgDocument(
    WIDTH,
    bottom + 34,
    title,
    [heading, ...names, ...cells(rows, rowHeight, most, left), ...ticks, axis].join(''),
  );
}

/** The largest average of neighbouring samples, over all algorithms: what the colours are relative to. */
export function mostOpenConnections(result: ScenarioResult): number {
  const rows = result.algorithms.flatMap(({ timeline }) => timeline?.open ?? []);
  return Math.max(1, ...rows.flatMap((row) => binned(row)));
}

/** From none to the full colour, at the top right. */
function legend(most: number): string {
  const steps = 5;
  const width = 12;
  const label = `${Math.round(most).toLocaleString('en-US')} connections`;
  const from = RIGHT - widthOf([label]) - 24 - steps * width;
  const boxes = Array.from({ length: steps }, (_, step) =>
    element('rect', {
      class: 'f0',
      'fill-opacity': opacityOf(((step + 1) * SHADES) / steps),
      x: from + 18 + step * width,
      y: 4,
      width,
      height: 9,
    }),
  );
  return [
    textElement(from + 12, 12, '0', { 'text-anchor': 'end', class: 'muted' }),
    ...boxes,
    textElement(from + 24 + steps * width, 12, label, { class: 'muted' }),
  ].join('');
}

/** One path for each shade, with a box for each run of cells of that shade. */
function cells(
  rows: readonly (readonly number[])[],
  rowHeight: number,
  most: number,
  left: number,
): string[] {
  const boxes = new Map<number, string[]>();
  const width = (RIGHT - left) / COLUMNS;
  for (const [index, row] of rows.entries()) {
    const shades = binned(row).map((open) => (open === 0 ? 0 : shadeOf(open / most)));
    for (let from = 0, to = 0; from < shades.length; from = to) {
      const shade = shades[from] ?? 0;
      while (to < shades.length && shades[to] === shade) to += 1;
      if (shade === 0) continue;
      const corner = `M${round(left + from * width)} ${round(TOP + index * rowHeight)}`;
      const across = round((to - from) * width);
      const box = `${corner}h${across}v${round(rowHeight - 0.6)}h-${across}z`;
      boxes.set(shade, [...(boxes.get(shade) ?? []), box]);
    }
  }
  return [...boxes].map(([shade, paths]) =>
    element('path', { class: 'f0', 'fill-opacity': opacityOf(shade), d: paths.join('') }),
  );
}

/** 1..SHADES, by the root of the share, so that few are told from none. */
function shadeOf(share: number): number {
  return Math.max(1, Math.round(Math.sqrt(share) * SHADES));
}

function opacityOf(shade: number): string {
  return (0.06 + (0.94 * shade) / SHADES).toFixed(2);
}

function binned(row: readonly number[]): number[] {
  const size = Math.max(1, Math.ceil(row.length / COLUMNS));
  return Array.from({ length: Math.ceil(row.length / size) }, (_, bin) => {
    const values = row.slice(bin * size, (bin + 1) * size);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

function rowLabels(names: readonly string[], rowHeight: number, left: number): string[] {
  const every = Math.ceil(11 / rowHeight);
  return names.flatMap((name, index) =>
    index % every === 0
      ? [
          textElement(left - 6, TOP + index * rowHeight + rowHeight / 2 + 4, name, {
            'text-anchor': 'end',
            class: 'muted',
          }),
        ]
      : [],
  );
}
