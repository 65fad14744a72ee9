import type { Random } from '../../base/random.ts';

/** xt_statistic compares 31 random bits with a threshold. */
const DRAW_RANGE = 0x8000_0000;

/** By how many endpoints are left, the threshold of a rule that takes one of them. */
const thresholds: number[] = [DRAW_RANGE, DRAW_RANGE];

/** `--probability` as kube-proxy prints it: 1/n with ten decimals. */
export function formatProbability(endpointsLeft: number): string {
  return (1 / endpointsLeft).toFixed(10);
}

/**
 * Walks the rules of one service chain: each takes 1/n of what reaches it, n being the endpoints not yet
 * passed; the last one takes everything. Every endpoint comes out with probability 1/count, up to what ten
 * decimals and 31 bits lose. `onRule` hears each draw.
 */
export function walkStatisticRules(
  count: number,
  random: Random,
  onRule?: (index: number, probability: number, matched: boolean) => void,
): number {
  for (let index = 0; index < count - 1; index += 1) {
    const left = count - index;
    const matched = random.uint32() % DRAW_RANGE < thresholdOf(left);
    onRule?.(index, 1 / left, matched);
    if (matched) return index;
  }
  onRule?.(count - 1, 1, true);
  return count - 1;
}

function thresholdOf(endpointsLeft: number): number {
  for (let next = thresholds.length; next <= endpointsLeft; next += 1)
    thresholds.push(Math.round(Number(formatProbability(next)) * DRAW_RANGE));
  return thresholds[endpointsLeft] ?? DRAW_RANGE;
}
