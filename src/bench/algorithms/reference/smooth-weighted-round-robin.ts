import type { Algorithm, Balancer, EligibleBackend } from '../balancer.ts';

/**
 * nginx's round robin (ngx_http_upstream_round_robin.c, 1.3.1): every backend gains its weight, the richest
 * is chosen and pays the sum. Weights 5, 1, 1 give a a b a c a a, where IPVS wrr gives runs.
 */
export const smoothWeightedRoundRobinAlgorithm: Algorithm = {
  name: 'smooth-wrr',
  family: 'reference',
  summary: "nginx's smooth weighted round robin",
  create({ maximumBackends }): Balancer {
    const credit = new Float64Array(maximumBackends);
    let eligible: readonly EligibleBackend[] = [];
    return {
      update(next) {
        eligible = next;
        credit.fill(0);
      },
      open() {
        let best = -1;
        let total = 0;
        for (const { index, weight } of eligible) {
          if (weight === 0) continue;
          total += weight;
          const richer = (credit[index] as number) + weight;
          credit[index] = richer;
          if (best < 0 || richer > (credit[best] as number)) best = index;
        }
        if (best >= 0) credit[best] = (credit[best] as number) - total;
        return best;
      },
      close() {},
    };
  },
};
