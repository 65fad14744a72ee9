import type { Random } from '../../base/random.ts';

/** Which source address the next connection comes from, as an index. */
export type SourceStream = () => number;

/** `skew` 0: even; otherwise Zipf, the weight of the k-th address being 1/k^skew. */
export function sourceStream(
  sources: { readonly addresses: number; readonly skew: number },
  random: Random,
): SourceStream {
  const { addresses, skew } = sources;
  if (addresses === 1) return () => 0;
  if (skew === 0) return () => random.below(addresses);
  const upTo = new Float64Array(addresses);
  let total = 0;
  for (let index = 0; index < addresses; index += 1) upTo[index] = total += 1 / (index + 1) ** skew;
  return () => firstAbove(upTo, random.float() * total);
}

/** The first index whose value is above `limit`, in an ascending array. */
function firstAbove(ascending: Float64Array, limit: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
