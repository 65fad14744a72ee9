import { expect, test } from 'vitest';
import { seededRandom, shuffle } from '../../src/base/random.ts';

test('a seed reproduces the stream and another seed does not', () => {
  const draw = (seed: string): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 8 }, () => random.uint32());
  };
  expect(draw('a')).toEqual(draw('a'));
  expect(draw('a')).not.toEqual(draw('b'));
});

test('a fork does not depend on what its parent drew', () => {
  const parent = seededRandom(7);
  const early = parent.fork('x').uint32();
  parent.uint32();
  expect(parent.fork('x').uint32()).toBe(early);
  expect(parent.fork('y').uint32()).not.toBe(early);
});

test('below is uniform: chi-square over 7 bins stays under the 0.1 % point', () => {
  const random = seededRandom('chi');
  const bins = new Array<number>(7).fill(0);
  const draws = 70_000;
  for (let index = 0; index < draws; index += 1) {
    const bin = random.below(7);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  const chiSquare = bins.reduce((sum, count) => sum + (count - draws / 7) ** 2 / (draws / 7), 0);
  expect(chiSquare).toBeLessThan(22.46);
});

test('shuffle keeps the elements', () => {
  const items = Array.from({ length: 50 }, (_, index) => index);
  const shuffled = shuffle([...items], seededRandom(1));
  expect(shuffled).not.toEqual(items);
  expect(shuffled.toSorted((a, b) => a - b)).toEqual(items);
});
