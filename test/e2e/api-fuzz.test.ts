import { expect, test } from 'vitest';
import { fuzzApi } from '../controlplane/apiserver/fuzz-run.ts';

const REQUESTS = 100_000;

test(`${REQUESTS} mutated requests: no crash, no 500`, { timeout: 600_000 }, async () => {
  const { failures, codes } = await fuzzApi('a hundred thousand', REQUESTS);
  expect(failures).toEqual([]);
  expect([...codes.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
});
