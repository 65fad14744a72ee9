import type { Algorithm, Balancer, EligibleBackend } from '../balancer.ts';

/** Finagle's default time constant of the moving average. */
const DECAY_MS = 10_000;
/** Cost of a backend nobody has heard of: high enough to be tried gently, as in Finagle. */
const UNKNOWN_COST_MS = 1e6;

/**
 * Of two backends drawn at random the one with the lower (average latency) × (open requests + 1), where the
 * average jumps to a peak at once and decays from it slowly: Finagle's and linkerd's peak EWMA.
 */
export const peakEwmaAlgorithm: Algorithm = {
  name: 'peak-ewma',
  family: 'reference',
  summary: 'least expected response time of two drawn at random (Finagle, linkerd)',
  watchesRequests: true,
  create({ maximumBackends, random, clock }): Balancer {
    const averageMs = new Float64Array(maximumBackends);
    const heardAt = new Float64Array(maximumBackends);
    const outstanding = new Int32Array(maximumBackends);
    let eligible: readonly EligibleBackend[] = [];

    const cost = (backend: number, now: number): number => {
      const decayed =
        (averageMs[backend] as number) * Math.exp(((heardAt[backend] as number) - now) / DECAY_MS);
      const open = outstanding[backend] as number;
      return decayed === 0 && open > 0 ? UNKNOWN_COST_MS + open : decayed * (open + 1);
    };
    return {
      update(next) {
        eligible = next;
      },
      open() {
        if (eligible.length === 0) return -1;
        const now = clock.now();
        const one = eligible[random.below(eligible.length)]?.index ?? -1;
        const other = eligible[random.below(eligible.length)]?.index ?? -1;
        return cost(other, now) < cost(one, now) ? other : one;
      },
      close() {},
      requestStarted(backend) {
        outstanding[backend] = (outstanding[backend] as number) + 1;
      },
      requestEnded(backend, latencyMs) {
        outstanding[backend] = (outstanding[backend] as number) - 1;
        const now = clock.now();
        const keep = Math.exp(((heardAt[backend] as number) - now) / DECAY_MS);
        const smoothed = (averageMs[backend] as number) * keep + latencyMs * (1 - keep);
        averageMs[backend] = Math.max(smoothed, latencyMs);
        heardAt[backend] = now;
      },
    };
  },
};
