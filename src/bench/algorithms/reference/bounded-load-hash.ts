import { createHash } from 'node:crypto';
import type { Algorithm, Balancer, EligibleBackend } from '../balancer.ts';

const POINTS_PER_BACKEND = 160;
/** A backend takes at most this many times the mean number of connections; HAProxy's hash-balance-factor 125. */
const LOAD_FACTOR = 1.25;

interface Point {
  readonly hash: number;
  readonly index: number;
}

/**
 * A hash ring keyed by source address, where a full backend passes the connection on to the next. Full is one
 * that holds ⌈1.25 m / n⌉ of m connections at n backends, the new one among them. Mirrokni, Thorup,
 * Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018; but connections, unlike their balls, stay
 * where they are when m shrinks.
 */
export const boundedLoadHashAlgorithm: Algorithm = {
  name: 'bounded-hash',
  family: 'reference',
  summary: 'consistent hashing of the source with bounded loads (1.25 times the mean)',
  create({ maximumBackends, sourceAddress }): Balancer {
    const open = new Int32Array(maximumBackends);
    const backendOf: number[] = [];
    const hashes: (number | undefined)[] = [];
    let ring: Point[] = [];
    let backends = 0;
    let total = 0;

    const hashOfSource = (source: number): number =>
      (hashes[source] ??= hash32(sourceAddress(source)));
    return {
      update(next) {
        backends = next.length;
        ring = next.flatMap(pointsOf).toSorted((a, b) => a.hash - b.hash);
      },
      open(connection, source) {
        const limit = Math.ceil((LOAD_FACTOR * (total + 1)) / backends);
        let at = firstAtOrAfter(ring, hashOfSource(source));
        for (let step = 0; step < ring.length; step += 1) {
          const index = ring[at]?.index ?? -1;
          if ((open[index] as number) < limit) {
            open[index] = (open[index] as number) + 1;
            backendOf[connection] = index;
            total += 1;
            return index;
          }
          at = at + 1 < ring.length ? at + 1 : 0;
        }
        return -1;
      },
      close(connection) {
        const index = backendOf[connection] as number;
        open[index] = (open[index] as number) - 1;
        total -= 1;
      },
    };
  },
};

function pointsOf({ index, address, port }: EligibleBackend): Point[] {
  return Array.from({ length: POINTS_PER_BACKEND }, (_, point) => ({
    hash: hash32(`${address}:${port}#${point}`),
    index,
  }));
}

function hash32(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

function firstAtOrAfter(ring: readonly Point[], hash: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ring[middle]?.hash ?? Infinity) < hash) low = middle + 1;
    else high = middle;
  }
  return low === ring.length ? 0 : low;
}
