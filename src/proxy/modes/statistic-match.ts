import type { Random } from '../../base/random.ts';

/**
 * Which rule of one service chain matches: each takes 1/n of what reaches it, n being the endpoints not yet
 * passed; the last one takes everything. The products telescope to 1/count for every endpoint (ten decimals
 * lose less than one connection in 10^9), so one draw gives what xt_statistic's draw at each rule gives, at
 * a cost that does not grow with the endpoints. `onRule` hears the walk.
 */
export function walkStatisticRules(
  count: number,
  random: Random,
  onRule?: (index: number, probability: number, matched: boolean) => void,
): number {
  const chosen = random.below(count);
  if (onRule !== undefined)
    for (let index = 0; index <= chosen; index += 1)
      onRule(index, 1 / (count - index), index === chosen);
  return chosen;
}
