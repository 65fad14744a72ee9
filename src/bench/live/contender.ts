import type { Algorithm } from '../algorithms/balancer.ts';
import type { AlgorithmResult } from '../report/result.ts';
import type { Plan } from '../scenario/plan.ts';
import { type ProxyUnderTest, startPodwireProxy } from './proxy-under-test.ts';

/** One row of a live table: something that can be started for a run. */
export interface Contender {
  readonly name: string;
  readonly family: AlgorithmResult['family'];
  start(run: { readonly plan: Plan; readonly seed: string }): Promise<ProxyUnderTest>;
}

/** podwire's own proxy with one algorithm. */
export function podwireContender(algorithm: Algorithm): Contender {
  return {
    name: algorithm.name,
    family: algorithm.family,
    start: ({ plan, seed }) =>
      startPodwireProxy({
        algorithm: algorithm.name,
        nodes: plan.scenario.nodes,
        maximumBackends: plan.backends.length,
        seed,
        ...(plan.scenario.affinitySeconds === undefined
          ? {}
          : { affinitySeconds: plan.scenario.affinitySeconds }),
      }),
  };
}
