import { expect, test } from 'vitest';
import { humanDuration } from '../../src/api/human-duration.ts';
import { isQuantity, quantityValue } from '../../src/api/quantity.ts';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

// apimachinery/pkg/util/duration: its own test table.
for (const [ms, text] of [
  [1 * S, '1s'],
  [70 * S, '70s'],
  [190 * S, '3m10s'],
  [70 * M, '70m'],
  [47 * H, '47h'],
  [49 * H, '2d1h'],
  [8 * D + 2 * H, '8d'],
  [367 * D, '367d'],
  [365 * 2 * D + 25 * D, '2y25d'],
  [365 * 8 * D + 2 * D, '8y'],
  [0, '0s'],
  [-500, '0s'],
  [-5 * S, '<invalid>'],
] as const)
  test(`${ms} ms is ${text}`, () => {
    expect(humanDuration(ms)).toBe(text);
  });

for (const [text, value] of [
  ['1', 1],
  ['100m', 0.1],
  ['1.5', 1.5],
  ['.5', 0.5],
  ['1e3', 1000],
  ['1Ki', 1024],
  ['50Mi', 50 * 2 ** 20],
  ['1G', 1e9],
  ['1u', 0.001],
  ['-2', -2],
] as const)
  test(`the quantity ${text} is ${value}`, () => {
    expect(quantityValue(text)).toBe(value);
  });

for (const text of ['', 'x', '1x', '1..2', '1 Mi', '+', 'Mi'])
  test(`${JSON.stringify(text)} is no quantity`, () => {
    expect(isQuantity(text)).toBe(false);
  });
