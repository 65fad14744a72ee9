import type { Algorithm, Balancer, EligibleBackend } from '../balancer.ts';

/** Finagle's default time constant of the moving average. */
const DECAY_MS = 10_000;
/** Cost of a backend that has work and has never answered: 2^47 nanoseconds, Finagle's penalty. */
const PENALTY_MS = 2 ** 47 / 1e6;

/**
 * Of two backends drawn at random the one with the lower (average latency) × (open requests + 1), where the
 * average jumps to a peak at once and decays from it slowly. As in Finagle's loadbalancer/PeakEwma.scala and
 * p2c/P2CPick.scala: the two are different ones, a tie goes to the second, and looking at a backend is an
 * observation of nothing, from which its average decays.
 */
export const peakEwmaAlgorithm: Algorithm = {
  name: 'peak-ewma',
  family: 'reference',
  summary: 'least expected response time of two drawn at random (Finagle, linkerd)',
  watchesRequests: true,
  create({ maximumBackends, random, clock }): Balancer {
    const averageMs = new Float64Array(maximumBackends);
    const seenAt = new Float64Array(maximumBackends);
    const outstanding = new Int32Array(maximumBackends);
    let eligible: readonly EligibleBackend[] = [];

    const observe = (backend: number, latencyMs: number): number => {
      const now = clock.now();
      const before = averageMs[backend] as number;
      const keep = Math.exp(((seenAt[backend] as number) - now) / DECAY_MS);
      const after = latencyMs > before ? latencyMs : before * keep + latencyMs * (1 - keep);
      averageMs[backend] = after;
      seenAt[backend] = now;
      return after;
    };
    const cost = (backend: number): number => {
      const average = observe(backend, 0);
      const open = outstanding[backend] as number;
      return average === 0 && open > 0 ? PENALTY_MS + open : average * (open + 1);
    };
    return {
      update(next) {
        eligible = next;
      },
      open() {
        const count = eligible.length;
        if (count < 2) return eligible[0]?.index ?? -1;
        const first = random.below(count);
        const draw = random.below(count - 1);
        const one = eligible[first]?.index ?? -1;
        const other = eligible[draw < first ? draw : draw + 1]?.index ?? -1;
        return cost(one) < cost(other) ? one : other;
      },
      close() {},
      requestStarted(backend) {
        outstanding[backend] = (outstanding[backend] as number) + 1;
      },
      requestEnded(backend, latencyMs) {
        outstanding[backend] = (outstanding[backend] as number) - 1;
        observe(backend, latencyMs);
      },
    };
  },
};
