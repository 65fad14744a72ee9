import type { AlgorithmResult, BackendResult, ScenarioResult } from '../result.ts';
import { linearScale } from './scale.ts';
import { element, svgDocument, textElement } from './svg.ts';

const WIDTH = 420;
const LEFT = 70;
const RIGHT = WIDTH - 8;
const TOP = 26;
const COLUMNS = 60;
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
  const x = linearScale(0, seconds, LEFT, RIGHT, 5);
  const cells = rows.flatMap((row, index) =>
    rowCells(row, TOP + index * rowHeight, rowHeight, most),
  );
  const names = rowLabels(algorithm.backends, rowHeight);
  const ticks = x.ticks.map(({ value, label }) =>
    textElement(x.at(value), bottom + 14, label, { 'text-anchor': 'middle', class: 'muted' }),
  );
  const axis = textElement((LEFT + RIGHT) / 2, bottom + 28, 'time (s)', {
    'text-anchor': 'middle',
  });
  const heading = textElement(2, 12, algorithm.name, { class: 'strong' });
  const title = `Open connections at each pod over time with ${algorithm.name}, ${result.scenario.name}`;
  return svgDocument(
    WIDTH,
    bottom + 34,
    title,
    [heading, ...names, ...cells, ...ticks, axis].join(''),
  );
}

/** The largest average of neighbouring samples, over all algorithms: what the colours are relative to. */
export function mostOpenConnections(result: ScenarioResult): number {
  const rows = result.algorithms.flatMap(({ timeline }) => timeline?.open ?? []);
  return Math.max(1, ...rows.flatMap((row) => binned(row)));
}

function rowCells(row: readonly number[], y: number, height: number, most: number): string[] {
  const width = (RIGHT - LEFT) / COLUMNS;
  return binned(row).flatMap((open, column) =>
    open === 0
      ? []
      : [
          element('rect', {
            class: 'f0',
            'fill-opacity': (0.06 + 0.94 * Math.sqrt(open / most)).toFixed(2),
            x: LEFT + column * width,
            y,
            width: width + 0.3,
            height: height - 0.6,
          }),
        ],
  );
}

function binned(row: readonly number[]): number[] {
  const size = Math.max(1, Math.ceil(row.length / COLUMNS));
  return Array.from({ length: Math.ceil(row.length / size) }, (_, bin) => {
    const values = row.slice(bin * size, (bin + 1) * size);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

function rowLabels(backends: readonly BackendResult[], rowHeight: number): string[] {
  const every = Math.ceil(11 / rowHeight);
  return backends.flatMap(({ name }, index) =>
    index % every === 0
      ? [
          textElement(LEFT - 6, TOP + index * rowHeight + rowHeight / 2 + 4, name, {
            'text-anchor': 'end',
            class: 'muted',
          }),
        ]
      : [],
  );
}
