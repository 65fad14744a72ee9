import { expect, test } from 'vitest';
import { formatGoDuration, parseGoDurationMs } from '../../src/base/go-duration.ts';

test.each([
  ['40s', 40_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['500ms', 500],
  ['2us', 0.002],
  ['0s', 0],
  ['40', undefined],
  ['', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
  ['soon', undefined],
])('%j is %s ms', (text, ms) => {
  expect(parseGoDurationMs(text)).toBe(ms);
});

test.each([
  [0, '0s'],
  [0.25, '250µs'],
  [1.5, '1.5ms'],
  [500, '500ms'],
  [1500, '1.5s'],
  [30_000, '30s'],
  [90_000, '1m30s'],
  [300_000, '5m0s'],
  [3_600_000, '1h0m0s'],
  [100 * 3_600_000 + 1, '100h0m0.001s'],
])('%d ms is %s', (ms, text) => {
  expect(formatGoDuration(ms)).toBe(text);
  expect(parseGoDurationMs(text)).toBe(ms);
});
