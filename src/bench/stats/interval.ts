import { studentT95 } from './distributions.ts';

/** A mean over repetitions and its 95 % confidence interval (Student's t). */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

/** With fewer than two values nothing is known of the spread: the interval is the whole line. */
export function intervalOf(values: readonly number[]): Interval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, low: -Infinity, high: Infinity, n };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = studentT95(n - 1) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half, n };
}

/** True when the two have no value in common. */
export function separate(a: Interval, b: Interval): boolean {
  return a.high < b.low || b.high < a.low;
}
