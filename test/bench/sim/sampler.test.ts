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
    // Within three of their standard deviations: √(20 / 20,000), and √(2 / 20,000) of the ratio.
    expect(Math.abs(average - 20)).toBeLessThan(0.095);
    expect(Math.abs(variance / average - 1)).toBeLessThan(0.03);
  });

  test('Poisson gaps are exponential, and know nothing of the one before', () => {
    const times = starts({ kind: 'poisson', ratePerSecond: 100 }, 2_000_000);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    const average = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const spread = gaps.map((gap) => gap - average);
    const variance = spread.reduce((sum, one) => sum + one * one, 0) / gaps.length;
    const withNext = spread.slice(1).reduce((sum, one, at) => sum + one * (spread[at] ?? 0), 0);
    expect(Math.abs(average / 10 - 1)).toBeLessThan(0.007);
    expect(Math.abs(Math.sqrt(variance) / average - 1)).toBeLessThan(0.01);
    expect(Math.abs(withNext / gaps.length / variance)).toBeLessThan(0.007);
    // Kolmogorov and Smirnov: the largest distance to 1 - e^-x is below its 1 % point, 1.63 / √n.
    const sorted = gaps.toSorted((a, b) => a - b);
    const distances = sorted.map((gap, index) =>
      Math.abs(1 - Math.exp(-gap / 10) - (index + 0.5) / sorted.length),
    );
    expect(distances.reduce((most, one) => Math.max(most, one), 0)).toBeLessThan(
      1.63 / Math.sqrt(gaps.length),
    );
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
    // A thousand periods: 20,000 and 8,000 starts, give or take three times the root.
    expect(Math.abs(inBurst - 20_000)).toBeLessThan(3 * Math.sqrt(20_000));
    expect(Math.abs(times.length - inBurst - 8000)).toBeLessThan(3 * Math.sqrt(8000));
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
