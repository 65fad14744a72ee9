import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import type { Arrivals, Distribution } from '../../../src/bench/scenario/scenario.ts';
import { arrivalStream } from '../../../src/bench/sim/arrival-stream.ts';
import { meanMsOf, samplerOf } from '../../../src/bench/sim/sampler.ts';
import { sourceStream } from '../../../src/bench/sim/source-stream.ts';

const DRAWS = 400_000;

function mean(draw: () => number, draws = DRAWS): number {
  let sum = 0;
  for (let index = 0; index < draws; index += 1) sum += draw();
  return sum / draws;
}

describe('service times have the mean they name', () => {
  const distributions: Distribution[] = [
    { kind: 'constant', meanMs: 7 },
    { kind: 'exponential', meanMs: 7 },
    { kind: 'lognormal', meanMs: 7, sigma: 1 },
    { kind: 'pareto', meanMs: 7, shape: 3 },
    { kind: 'bimodal', fastMs: 2, slowMs: 52, slowFraction: 0.1 },
  ];
  for (const distribution of distributions)
    test(`when ${distribution.kind}`, () => {
      const sample = samplerOf(distribution, seededRandom('mean'));
      expect(mean(sample)).toBeCloseTo(7, 0);
      expect(meanMsOf(distribution)).toBe(7);
    });
});

describe('arrivals', () => {
  const starts = (arrivals: Arrivals, untilMs: number): number[] => {
    const next = arrivalStream(arrivals, seededRandom('arrivals'));
    const times: number[] = [];
    for (let time = next(); time < untilMs; time = next()) times.push(time);
    return times;
  };

  test('constant ones do not drift', () => {
    const times = starts({ kind: 'constant', ratePerSecond: 3 }, 1_000_001);
    expect(times).toHaveLength(3001);
    expect(times.at(-1)).toBe(1_000_000);
  });

  test('Poisson counts a second have their mean as variance', () => {
    const seconds = 20_000;
    const counts = new Array<number>(seconds).fill(0);
    for (const time of starts({ kind: 'poisson', ratePerSecond: 20 }, seconds * 1000))
      counts[Math.floor(time / 1000)] = (counts[Math.floor(time / 1000)] ?? 0) + 1;
    const average = counts.reduce((sum, count) => sum + count, 0) / seconds;
    const variance = counts.reduce((sum, count) => sum + (count - average) ** 2, 0) / seconds;
    expect(average).toBeCloseTo(20, 0);
    expect(variance / average).toBeCloseTo(1, 1);
  });

  test('bursts come at their own rate', () => {
    const times = starts(
      {
        kind: 'bursty',
        ratePerSecond: 10,
        burstRatePerSecond: 100,
        periodMs: 1000,
        burstMs: 200,
      },
      1_000_000,
    );
    const inBurst = times.filter((time) => time % 1000 < 200).length;
    expect(inBurst / 200).toBeCloseTo(100, -1);
    expect((times.length - inBurst) / 800).toBeCloseTo(10, 0);
  });

  test('a trace repeats with its period, or ends', () => {
    expect(starts({ kind: 'trace', startsMs: [1, 5], periodMs: 10 }, 30)).toEqual([
      1, 5, 11, 15, 21, 25,
    ]);
    expect(starts({ kind: 'trace', startsMs: [1, 5] }, 30)).toEqual([1, 5]);
  });
});

test('sources follow Zipf when skewed', () => {
  const counts = [0, 0, 0, 0];
  const next = sourceStream({ addresses: 4, skew: 1 }, seededRandom('zipf'));
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const source = next();
    counts[source] = (counts[source] ?? 0) + 1;
  }
  const harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4;
  for (const [index, count] of counts.entries())
    expect(count / DRAWS).toBeCloseTo(1 / (index + 1) / harmonic, 2);
});
