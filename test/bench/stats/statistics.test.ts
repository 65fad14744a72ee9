import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { chiSquareTail, studentT95 } from '../../../src/bench/stats/distributions.ts';
import { fairness } from '../../../src/bench/stats/fairness.ts';
import { intervalOf, separate } from '../../../src/bench/stats/interval.ts';
import { LatencyRecorder } from '../../../src/bench/stats/latency-recorder.ts';

describe('tables of statistics', () => {
  // NIST/SEMATECH e-Handbook 1.3.6.7.4 and 1.3.6.7.2.
  for (const [value, degrees, tail] of [
    [3.841, 1, 0.05],
    [18.307, 10, 0.05],
    [23.209, 10, 0.01],
    [124.342, 100, 0.05],
  ] as const)
    test(`chi-square ${value} with ${degrees} degrees leaves ${tail}`, () => {
      expect(chiSquareTail(value, degrees)).toBeCloseTo(tail, 4);
    });

  for (const [degrees, t] of [
    [1, 12.706],
    [4, 2.776],
    [29, 2.045],
    [30, 2.0423],
    [60, 2.0003],
    [120, 1.9799],
    [1000, 1.9623],
  ] as const)
    test(`Student's t with ${degrees} degrees is ${t}`, () => {
      expect(studentT95(degrees)).toBeCloseTo(t, 3);
    });
});

describe('intervals', () => {
  test('of five values', () => {
    const { mean, low, high } = intervalOf([10, 12, 9, 11, 13]);
    expect(mean).toBe(11);
    expect(high - mean).toBeCloseTo((2.776 * Math.sqrt(2.5)) / Math.sqrt(5), 3);
    expect(mean - low).toBeCloseTo(high - mean, 9);
  });

  test('hold the true mean in about 95 of 100 experiments', () => {
    const random = seededRandom('coverage');
    const normal = (): number => {
      let sum = -6;
      for (let index = 0; index < 12; index += 1) sum += random.float();
      return sum;
    };
    let held = 0;
    for (let experiment = 0; experiment < 4000; experiment += 1) {
      const { low, high } = intervalOf([normal(), normal(), normal(), normal(), normal()]);
      if (low <= 0 && high >= 0) held += 1;
    }
    expect(held / 4000).toBeGreaterThan(0.94);
    expect(held / 4000).toBeLessThan(0.96);
  });

  test('separate only without a common value; one repetition never does', () => {
    expect(separate(intervalOf([1, 1.1, 0.9]), intervalOf([5, 5.1, 4.9]))).toBe(true);
    expect(separate(intervalOf([1, 6, 3]), intervalOf([5, 5.1, 4.9]))).toBe(false);
    expect(separate(intervalOf([1]), intervalOf([5, 5.1, 4.9]))).toBe(false);
  });
});

describe('fairness', () => {
  test('even counts', () => {
    expect(fairness([5, 5, 5], [1, 1, 1])).toEqual({
      jain: 1,
      variation: 0,
      maxOverMean: 1,
      chiSquare: 0,
      degreesOfFreedom: 2,
      pValue: 1,
    });
  });

  test('all on one of four', () => {
    const { jain, maxOverMean, variation, chiSquare } = fairness([8, 0, 0, 0], [1, 1, 1, 1]);
    expect([jain, maxOverMean, chiSquare]).toEqual([0.25, 4, 24]);
    expect(variation).toBeCloseTo(Math.sqrt(3), 9);
  });

  test("Mendel's peas: 315, 101, 108 and 32 where 9, 3, 3 and 1 of 16 are expected", () => {
    const { chiSquare, degreesOfFreedom, pValue } = fairness([315, 101, 108, 32], [9, 3, 3, 1]);
    expect(chiSquare).toBeCloseTo(0.47, 3);
    expect(degreesOfFreedom).toBe(3);
    expect(pValue).toBeCloseTo(0.9254, 4);
  });

  test('counts in proportion to weights are even, and weight 0 is no member', () => {
    expect(fairness([40, 10, 0], [4, 1, 0]).jain).toBe(1);
  });

  test('chi-square of random draws exceeds its 5 % point in 5 % of runs', () => {
    const random = seededRandom('chi');
    let beyond = 0;
    for (let run = 0; run < 2000; run += 1) {
      const counts = new Array<number>(8).fill(0);
      for (let draw = 0; draw < 400; draw += 1) {
        const bin = random.below(8);
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
      if (fairness(counts, new Array<number>(8).fill(1)).pValue < 0.05) beyond += 1;
    }
    // Three standard deviations of 2000 throws of a coin that falls so one time in twenty.
    expect(beyond / 2000).toBeGreaterThan(0.035);
    expect(beyond / 2000).toBeLessThan(0.065);
  });
});

describe('latency', () => {
  test('percentiles are within the three digits HdrHistogram keeps, the mean is exact', () => {
    const recorder = new LatencyRecorder();
    const random = seededRandom('latency');
    const values = Array.from({ length: 20_000 }, () => 0.01 * 10 ** (7 * random.float()));
    for (const value of values) recorder.record(value);
    const sorted = values.toSorted((a, b) => a - b);
    const histogram = recorder.histogram();
    for (const percentile of [50, 90, 99, 99.9]) {
      const exact = sorted[Math.ceil((percentile / 100) * sorted.length) - 1] ?? 0;
      const recorded = histogram.getValueAtPercentile(percentile) / 1000;
      expect(Math.abs(recorded / exact - 1)).toBeLessThan(0.002);
    }
    expect(recorder.meanMs).toBeCloseTo(values.reduce((a, b) => a + b) / values.length, 6);
    expect(recorder.maxMs).toBe(sorted.at(-1));
    expect(histogram.totalCount).toBe(20_000);
  });

  test('recorders add up', () => {
    const [a, b, both] = [new LatencyRecorder(), new LatencyRecorder(), new LatencyRecorder()];
    for (let value = 1; value <= 100; value += 1) {
      (value % 2 === 0 ? a : b).record(value);
      both.record(value);
    }
    a.add(b);
    expect(a.histogram().summary).toEqual(both.histogram().summary);
    expect([a.count, a.meanMs, a.maxMs]).toEqual([both.count, both.meanMs, both.maxMs]);
  });

  test('nothing is too long', () => {
    const recorder = new LatencyRecorder();
    recorder.record(1e9);
    expect(recorder.histogram().totalCount).toBe(1);
    expect(recorder.maxMs).toBe(1e9);
  });
});
