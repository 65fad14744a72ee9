import type { AlgorithmResult, BackendResult, ScenarioResult } from '../result.ts';
import { element, escapeXml, shortened, svgDocument, textElement } from './svg.ts';
import { SLANT, slantedRoom } from './slanted-room.ts';

const LEFT = 150;
const ROW = 24;
const CELL = 46;
const LEGEND = 34;
/** More pods than this are no table any more. */
const MAX_PODS = 24;
/** This many times the expected share, or its inverse, is the full colour. */
const FULL_RATIO = 3;

/**
 * Algorithm × pod: the share of requests that each pod got, coloured by how far it is from its share of the
 * weights: blue is less, orange is more. Empty for more pods than fit.
 */
export function shareHeatmap(result: ScenarioResult): string {
  const pods = result.algorithms[0]?.backends ?? [];
  if (pods.length < 2 || pods.length > MAX_PODS) return '';
  const names = pods.map(({ name }) => shortened(name));
  const slanted = slantedRoom(names);
  const top = 22 + slanted.height;
  // The legend is wider than a few pods.
  const width = LEFT + Math.max(pods.length, 5) * CELL + slanted.overhang;
  const bottom = top + result.algorithms.length * ROW;
  const columns = names.map((name, index) =>
    textElement(0, 0, name, {
      transform: `translate(${LEFT + index * CELL + CELL / 2 - 4} ${top - 8}) rotate(-${SLANT})`,
      class: 'muted',
    }),
  );
  const rows = result.algorithms.map((algorithm, index) => rowOf(algorithm, top + index * ROW));
  const heading = textElement(2, 12, 'requests by pod (%)', { class: 'strong' });
  const title = `Share of requests in percent by algorithm and pod, ${result.scenario.name}`;
  return svgDocument(
    width,
    bottom + LEGEND,
    title,
    [heading, ...columns, ...rows, legend(bottom + 12)].join(''),
  );
}

function rowOf({ name, backends }: AlgorithmResult, y: number): string {
  const total = sum(backends, ({ requests }) => requests);
  const weights = sum(backends, ({ weight }) => weight);
  const label = textElement(LEFT - 8, y + ROW / 2 + 4, name, { 'text-anchor': 'end' });
  const cells = backends.map((backend, column) => {
    const share = total === 0 ? 0 : backend.requests / total;
    const expected = backend.weight / weights;
    const percent = (share * 100).toFixed(1);
    const tip = `${name}, ${backend.name}: ${percent} % of requests, ${(expected * 100).toFixed(1)} % of the weights`;
    const x = LEFT + column * CELL;
    return (
      cell(x, y, CELL - 2, share / expected, tip) +
      textElement(x + CELL / 2 - 1, y + ROW / 2 + 3, percent, { 'text-anchor': 'middle' })
    );
  });
  return element('g', { class: 'series', 'data-series': name }, [label, ...cells].join(''));
}

function cell(x: number, y: number, width: number, ratio: number, tip: string): string {
  const distance = ratio === 0 ? -1 : Math.log(ratio) / Math.log(FULL_RATIO);
  const strength = Math.min(1, Math.abs(distance));
  return element(
    'rect',
    {
      class: distance < 0 ? 'less' : 'more',
      'fill-opacity': (0.03 + 0.62 * strength).toFixed(2),
      x,
      y,
      width,
      height: ROW - 2,
    },
    element('title', {}, escapeXml(tip)),
  );
}

/** What the colours mean, from a third to three times the expected share. */
function legend(y: number): string {
  const steps = [1 / 3, 1 / 2, 1, 2, 3];
  const names = ['≤ ⅓', '½', '1', '2', '≥ 3'];
  const boxes = steps.map((ratio, index) => {
    const x = LEFT + index * CELL;
    return (
      cell(x, y - 4, CELL - 2, ratio, `${names[index]} times the expected share`) +
      textElement(x + CELL / 2 - 1, y + 11, names[index] ?? '', { 'text-anchor': 'middle' })
    );
  });
  const name = textElement(LEFT - 8, y + 11, 'times its weight', {
    'text-anchor': 'end',
    class: 'muted',
  });
  return [name, ...boxes].join('');
}

function sum(
  backends: readonly BackendResult[],
  value: (backend: BackendResult) => number,
): number {
  return backends.reduce((total, backend) => total + value(backend), 0);
}
