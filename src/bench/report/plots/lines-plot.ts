import { logScale } from './scale.ts';
import { spreadLabels } from './spread-labels.ts';
import { element, round, SERIES_COLOURS, seriesClass, svgDocument, textElement } from './svg.ts';

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 64;
const RIGHT = WIDTH - 130;
const TOP = 14;
const BOTTOM = HEIGHT - 44;
const LABEL_SPACING = 14;

export interface LinesPlot {
  readonly title: string;
  /** Names of the axes with their units; both are logarithmic. */
  readonly x: string;
  readonly y: string;
  readonly curves: readonly {
    readonly name: string;
    readonly points: readonly { readonly x: number; readonly y: number }[];
  }[];
}

/** Curves over two logarithmic axes, each named at its end. */
export function linesPlot({ title, x: xName, y: yName, curves }: LinesPlot): string {
  const points = curves.flatMap((curve) => curve.points);
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const x = logScale(Math.min(...xs), Math.max(...xs), LEFT, RIGHT);
  const y = logScale(Math.min(...ys) * 0.8, Math.max(...ys), BOTTOM, TOP);
  const horizontal = y.ticks.map(
    ({ value, label }) =>
      element('line', { class: 'grid', x1: LEFT, x2: RIGHT, y1: y.at(value), y2: y.at(value) }) +
      textElement(LEFT - 6, y.at(value) + 4, label, { 'text-anchor': 'end', class: 'muted' }),
  );
  const vertical = x.ticks.map(({ value, label }) =>
    textElement(x.at(value), BOTTOM + 16, label, { 'text-anchor': 'middle', class: 'muted' }),
  );
  const ends = curves.map((curve) => y.at(curve.points.at(-1)?.y ?? 1) + 4);
  const labels = spreadLabels(ends, LABEL_SPACING, TOP + 8, BOTTOM + 4);
  const drawn = curves.map((curve, index) => {
    const path = curve.points.map((point) => `${round(x.at(point.x))},${round(y.at(point.y))}`);
    return (
      element('polyline', { class: `line ${seriesClass(index)}`, points: path.join(' ') }) +
      element('polyline', {
        class: `line leader s${index % SERIES_COLOURS}`,
        points: `${RIGHT},${round((ends[index] ?? 0) - 4)} ${RIGHT + 14},${round((labels[index] ?? 0) - 4)}`,
      }) +
      element('line', {
        class: `line ${seriesClass(index)}`,
        x1: RIGHT + 14,
        x2: RIGHT + 36,
        y1: (labels[index] ?? 0) - 4,
        y2: (labels[index] ?? 0) - 4,
      }) +
      textElement(RIGHT + 41, labels[index] ?? 0, curve.name)
    );
  });
  const names = [
    textElement((LEFT + RIGHT) / 2, HEIGHT - 6, xName, { 'text-anchor': 'middle' }),
    textElement(0, 0, yName, {
      transform: `translate(13 ${round((TOP + BOTTOM) / 2)}) rotate(-90)`,
      'text-anchor': 'middle',
    }),
  ];
  return svgDocument(
    WIDTH,
    HEIGHT,
    title,
    [...horizontal, ...vertical, ...drawn, ...names].join(''),
  );
}
