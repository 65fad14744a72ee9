import { formatMetric, METRIC_INFO, metricInterval } from '../metric-info.ts';
import type { Metric, ScenarioResult } from '../result.ts';
import { linearScale, logScale } from './scale.ts';
import { element, svgDocument, textElement } from './svg.ts';

const WIDTH = 420;
const ROW = 20;
const LEFT = 128;
const RIGHT = WIDTH - 62;
const TOP = 26;
/** Beyond this ratio of largest to smallest, a linear axis would hide the small ones. */
const LOG_FROM_RATIO = 20;

/** One figure with its 95 % confidence interval, one row an algorithm. */
export function intervalDots(result: ScenarioResult, metric: Metric): string {
  const rows = result.algorithms.map((algorithm) => ({
    algorithm,
    interval: metricInterval(algorithm, metric),
  }));
  const means = rows.map(({ interval }) => interval.mean);
  const highest = Math.max(...means);
  if (!(highest > 0)) return '';
  const ends = rows.map(({ interval }) => (interval.n < 2 ? interval.mean : interval.high));
  const lowest = Math.min(...means.filter((mean) => mean > 0));
  const height = TOP + rows.length * ROW + 28;
  const scale =
    highest / lowest > LOG_FROM_RATIO
      ? logScale(lowest * 0.8, Math.max(...ends), LEFT, RIGHT)
      : linearScale(0, Math.max(...ends), LEFT, RIGHT, 4);
  const bottom = height - 28;
  const { label, unit, about } = METRIC_INFO[metric];
  const factor = unit === '%' ? 100 : 1;
  const grid = scale.ticks.map(
    ({ value, label: text }) =>
      element('line', {
        class: 'grid',
        x1: scale.at(value),
        x2: scale.at(value),
        y1: TOP - 6,
        y2: bottom,
      }) +
      textElement(
        scale.at(value),
        bottom + 14,
        factor === 1 ? text : String(Number((value * factor).toPrecision(3))),
        {
          'text-anchor': 'middle',
          class: 'muted',
        },
      ),
  );
  const content = rows.map(({ algorithm, interval }, index) => {
    const y = TOP + index * ROW + ROW / 2;
    const colour = algorithm.family === 'reference' ? 7 : 0;
    const low = Math.max(scale.at(Math.max(interval.low, 0)), LEFT);
    return [
      textElement(LEFT - 8, y + 4, algorithm.name, { 'text-anchor': 'end' }),
      interval.n < 2
        ? ''
        : element('line', {
            class: `line s${colour}`,
            x1: low,
            x2: scale.at(interval.high),
            y1: y,
            y2: y,
          }),
      element('circle', { class: `f${colour}`, cx: scale.at(interval.mean), cy: y, r: 4 }),
      textElement(WIDTH - 2, y + 4, formatMetric(metric, interval.mean), { 'text-anchor': 'end' }),
    ].join('');
  });
  const name = `${label}${unit === '' ? '' : ` (${unit})`}: ${about}`;
  const heading = textElement(2, 12, `${label} (${unit === '' ? 'ratio' : unit})`, {
    class: 'strong',
  });
  return svgDocument(
    WIDTH,
    height,
    `${name}, with 95 % confidence intervals`,
    [heading, ...grid, ...content].join(''),
  );
}
