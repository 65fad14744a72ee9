import { expect, test } from 'vitest';
import { parseGoDurationMs } from '../../src/base/go-duration.ts';

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
