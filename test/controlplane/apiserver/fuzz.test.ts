import { expect, test } from 'vitest';
import { fuzzApi } from './fuzz-run.ts';

// A hundred thousand are sent by test/e2e/api-fuzz.test.ts.
for (const seed of ['one', 'two', 'three'])
  test(`mutated requests are answered, never with a 500 (seed ${seed})`, async () => {
    const { failures, codes } = await fuzzApi(seed, 2_000);
    expect(failures).toEqual([]);
    // It is worth something only if requests of all kinds get through.
    for (const code of [200, 201, 400, 404, 405, 415, 422])
      expect(codes.get(code) ?? 0).toBeGreaterThan(0);
  });
