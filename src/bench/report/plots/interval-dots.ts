import { formatMargin, formatMetric, METRIC_INFO, metricInterval } from '../metric-info.ts';
import type { AlgorithmResult, Metric, ScenarioResult } from '../result.ts';
import { linearScale, logScale, type Scale } from './scale.ts';
import { element, svgDocument, textElement, widthOf } from './svg.ts';

const WIDTH = 420;
const ROW = 20;
const TOP = 26;
const BELOW = 28;
const RADIUS = 4;
/** Beyond this ratio of largest to smallest, a linear axis would hide the small ones. */
const LOG_FROM_RATIO = 20;

/** Who is who, by shape as well as by colour. */
const KINDS = {
  own: { series: 0, name: 'kube-proxy' },
  peer: { series: 1, name: 'peer' },
  reference: { series: 7, name: 'reference' },
} as const;

type Kind = keyof typeof KINDS;

interface Row {
  readonly algorithm: AlgorithmResult;
  readonly interval: ReturnType<typeof metricInterval>;
  readonly figure: string;
}

/** One figure with its 95 % confidence interval, one row an algorithm. */
export function intervalDots(result: ScenarioResult, metric: Metric): string {
  const rows = result.algorithms.map((algorithm): Row => {
    const interval = metricInterval(algorithm, metric);
    const margin = formatMargin(metric, interval);
    return {
      algorithm,
      interval,
      figure: `${formatMetric(metric, interval.mean)} ${margin}`.trim(),
    };
  });
  if (!rows.some(({ interval }) => interval.mean > 0)) return '';
  const left = Math.max(100, widthOf(rows.map(({ algorithm }) => algorithm.name)) + 14);
  const right = WIDTH - widthOf(rows.map(({ figure }) => figure)) - 12;
  const height = TOP + rows.length * ROW + BELOW;
  const scale = scaleOf(rows, left, right);
  const { label, unit, about } = METRIC_INFO[metric];
  const heading = textElement(2, 12, `${label} (${unit === '' ? 'ratio' : unit})`, {
    class: 'strong',
  });
  const content = rows.flatMap((row, index) =>
    rowOf(row, TOP + index * ROW + ROW / 2, scale, left),
  );
  return svgDocument(
    WIDTH,
    height,
    `${label}${unit === '' ? '' : ` (${unit})`}: ${about}, with 95 % confidence intervals`,
    [heading, ...legend(rows), ...grid(scale, height - BELOW, unit), ...content].join(''),
  );
}

function scaleOf(rows: readonly Row[], left: number, right: number): Scale {
  const means = rows.map(({ interval }) => interval.mean);
  const ends = rows.map(({ interval }) => (interval.n < 2 ? interval.mean : interval.high));
  const lowest = Math.min(...means.filter((mean) => mean > 0));
  return Math.max(...means) / lowest > LOG_FROM_RATIO
    ? logScale(lowest * 0.8, Math.max(...ends), left, right)
    : linearScale(0, Math.max(...ends), left, right, 4);
}

function grid(scale: Scale, bottom: number, unit: string): string[] {
  return scale.ticks.map(({ value, label }) => {
    const x = scale.at(value);
    const text = unit === '%' ? String(Number((value * 100).toPrecision(3))) : label;
    return (
      element('line', { class: 'grid', x1: x, x2: x, y1: TOP - 6, y2: bottom }) +
      textElement(x, bottom + 14, text, { 'text-anchor': 'middle', class: 'muted' })
    );
  });
}

function rowOf(
  { algorithm, interval, figure }: Row,
  y: number,
  scale: Scale,
  left: number,
): string[] {
  const kind = kindOf(algorithm);
  const low = Math.max(scale.at(Math.max(interval.low, 0)), left);
  const bar =
    interval.n < 2
      ? ''
      : element('line', {
          class: `line s${KINDS[kind].series}`,
          x1: low,
          x2: scale.at(interval.high),
          y1: y,
          y2: y,
        });
  return [
    textElement(left - 8, y + 4, algorithm.name, { 'text-anchor': 'end' }),
    bar,
    mark(kind, scale.at(interval.mean), y),
    textElement(WIDTH - 2, y + 4, figure, { 'text-anchor': 'end' }),
  ];
}

function kindOf({ family }: AlgorithmResult): Kind {
  return family === 'peer' || family === 'reference' ? family : 'own';
}

function mark(kind: Kind, x: number, y: number): string {
  const fill = `f${KINDS[kind].series}`;
  if (kind === 'own') return element('circle', { class: fill, cx: x, cy: y, r: RADIUS });
  const size = kind === 'peer' ? RADIUS - 0.5 : RADIUS + 1;
  const d =
    kind === 'peer'
      ? `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}z`
      : `M${x} ${y - size}l${size} ${size}l${-size} ${size}l${-size} ${-size}z`;
  return element('path', { class: fill, d });
}

/** At the top right, when there is more than one kind. */
function legend(rows: readonly Row[]): string[] {
  const present = new Set(rows.map(({ algorithm }) => kindOf(algorithm)));
  if (present.size < 2) return [];
  let x = WIDTH - 2;
  return (Object.keys(KINDS) as Kind[])
    .filter((kind) => present.has(kind))
    .toReversed()
    .flatMap((kind) => {
      const { name } = KINDS[kind];
      const end = x;
      x -= widthOf([name]) + 26;
      return [
        textElement(end, 12, name, { 'text-anchor': 'end', class: 'muted' }),
        mark(kind, end - widthOf([name]) - 6, 8),
      ];
    });
}
