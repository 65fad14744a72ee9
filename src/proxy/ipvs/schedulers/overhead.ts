import type { Destination } from '../destination.ts';
import type { KernelBehaviour } from '../kernel.ts';

/**
 * How much an active connection adds to a destination's load beyond being one of the total: the load
 * of lc, wlc, lblc, lblcr and twos is `activeConnections * activeCost + totalConnections`
 * (ip_vs_dest_conn_overhead).
 */
export function activeCost(kernel: KernelBehaviour): number {
  return kernel.overhead === 'active-and-total' ? 256 : 255;
}

/**
 * wlc's choice: the least load for its weight, the earlier in the list on a tie. A cross product instead
 * of a division keeps it exact (up to 2^53, which no table of connections reaches).
 */
export function leastWeightedLoad(
  destinations: readonly Destination[],
  cost: number,
): Destination | undefined {
  let least: Destination | undefined;
  let leastLoad = 0;
  let leastWeight = 0;
  for (const destination of destinations) {
    const weight = destination.weight;
    if (weight <= 0 || destination.overloaded) continue;
    const load = destination.activeConnections * cost + destination.totalConnections;
    if (least !== undefined && leastLoad * weight <= load * leastWeight) continue;
    least = destination;
    leastLoad = load;
    leastWeight = weight;
  }
  return least;
}

/**
 * When lblc and lblcr leave a cached server: it has more active connections than its weight while
 * another one of the service is below half of its own.
 */
export function isOutgrown(
  destination: Destination,
  destinations: readonly Destination[],
): boolean {
  if (destination.activeConnections <= destination.weight) return false;
  return destinations.some((other) => other.activeConnections * 2 < other.weight);
}
