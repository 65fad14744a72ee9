import type { Algorithm, Balancer, EligibleBackend } from '../balancer.ts';

/**
 * The backend with the fewest requests waiting or served, seen over all nodes, without delay: what no real
 * proxy can know. Ties go round, so that an idle cluster is used evenly. The best there is where pods are alike and
 * service times exponential (Winston, J. Appl. Prob. 14, 1977); it knows nothing of weights or slow pods.
 */
export const joinShortestQueueAlgorithm: Algorithm = {
  name: 'jsq',
  family: 'reference',
  summary: 'shortest queue with global knowledge: the bound where pods are alike',
  watchesRequests: true,
  create({ globalInSystem }): Balancer {
    let eligible: readonly EligibleBackend[] = [];
    let start = 0;
    return {
      update(next) {
        eligible = next;
        start = 0;
      },
      open() {
        const count = eligible.length;
        let best = -1;
        let fewest = Infinity;
        let at = start;
        for (let step = 0; step < count && fewest > 0; step += 1) {
          at = at + 1 < count ? at + 1 : 0;
          const index = eligible[at]?.index ?? -1;
          const load = globalInSystem[index] as number;
          if (load >= fewest) continue;
          fewest = load;
          best = index;
          start = at;
        }
        return best;
      },
      close() {},
    };
  },
};
