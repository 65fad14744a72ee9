import { chiSquareTail } from './distributions.ts';

/** How evenly something is spread over backends. */
export interface Fairness {
  /** Jain's index, (Σx)² / (n Σx²): 1 is even, 1/n is all on one. Jain, Chiu, Hawe, DEC TR-301, 1984. */
  readonly jain: number;
  /** Standard deviation over mean. */
  readonly variation: number;
  readonly maxOverMean: number;
  /** Pearson's statistic against the expected shares, and the chance of one as large from random draws. */
  readonly chiSquare: number;
  readonly degreesOfFreedom: number;
  readonly pValue: number;
}

/**
 * Shares against `weights`: a backend's count is divided by its weight first, except in chi-square, which
 * compares counts. Backends of weight 0 are left out. Without any counts everything is even.
 */
export function fairness(counts: readonly number[], weights: readonly number[]): Fairness {
  const used = counts.flatMap((count, index) => {
    const weight = weights[index] ?? 0;
    return weight > 0 ? [{ count, weight }] : [];
  });
  const total = used.reduce((sum, { count }) => sum + count, 0);
  if (total === 0 || used.length < 2)
    return { jain: 1, variation: 0, maxOverMean: 1, chiSquare: 0, degreesOfFreedom: 0, pValue: 1 };
  const loads = used.map(({ count, weight }) => count / weight);
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  const squares = loads.reduce((sum, load) => sum + load * load, 0);
  const variance = Math.max(0, squares / loads.length - mean * mean);
  const weightSum = used.reduce((sum, { weight }) => sum + weight, 0);
  const chiSquare = used.reduce((sum, { count, weight }) => {
    const expected = (total * weight) / weightSum;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  return {
    jain: (mean * loads.length) ** 2 / (loads.length * squares),
    variation: Math.sqrt(variance) / mean,
    maxOverMean: Math.max(...loads) / mean,
    chiSquare,
    degreesOfFreedom: used.length - 1,
    pValue: chiSquareTail(chiSquare, used.length - 1),
  };
}
