import type { Algorithm, Balancer, EligibleBackend } from '../balancer.ts';

/**
 * The least loaded of `d` backends drawn at random, by requests this node has open. With d = 1 it is plain
 * random. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001;
 * Envoy's LEAST_REQUEST is this with d = 2.
 */
export function choicesAlgorithm(d: number, name: string, summary: string): Algorithm {
  return {
    name,
    family: 'reference',
    summary,
    watchesRequests: true,
    create({ maximumBackends, random }): Balancer {
      const outstanding = new Int32Array(maximumBackends);
      let eligible: readonly EligibleBackend[] = [];
      return {
        update(next) {
          eligible = next;
        },
        open() {
          if (eligible.length === 0) return -1;
          let best = eligible[random.below(eligible.length)]?.index ?? -1;
          for (let choice = 1; choice < d; choice += 1) {
            const other = eligible[random.below(eligible.length)]?.index ?? -1;
            if ((outstanding[other] as number) < (outstanding[best] as number)) best = other;
          }
          return best;
        },
        close() {},
        requestStarted(backend) {
          outstanding[backend] = (outstanding[backend] as number) + 1;
        },
        requestEnded(backend) {
          outstanding[backend] = (outstanding[backend] as number) - 1;
        },
      };
    },
  };
}
