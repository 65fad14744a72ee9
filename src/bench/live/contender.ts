import type { Algorithm } from '../algorithms/balancer.ts';
import type { AlgorithmResult } from '../report/result.ts';
import type { Plan } from '../scenario/plan.ts';
import { type ProxyUnderTest, startPodwireProxy } from './proxy-under-test.ts';

/** One row of a live table. */
export type Contender = StartableContender | NamespaceContender;

/** Something that can be started for a run. */
export interface StartableContender {
  readonly name: string;
  readonly family: AlgorithmResult['family'];
  readonly inNamespace?: false;
  start(run: { readonly plan: Plan; readonly seed: string }): Promise<ProxyUnderTest>;
}

/** Backends, clients and what balances them run in a network namespace of their own, where it is known by name. */
export interface NamespaceContender {
  readonly name: string;
  readonly family: AlgorithmResult['family'];
  readonly inNamespace: true;
}

/** Where each socket asks once, nobody comes back to a flow, and descriptors are scarce. */
const ONE_QUERY_FLOW_MS = 1000;

/** podwire's own proxy with one algorithm. */
export function podwireContender(algorithm: Algorithm): StartableContender {
  return {
    name: algorithm.name,
    family: algorithm.family,
    start: ({ plan: { scenario, backends }, seed }) =>
      startPodwireProxy({
        algorithm: algorithm.name,
        protocol: scenario.protocol,
        nodes: scenario.nodes,
        maximumBackends: backends.length,
        seed,
        ...(scenario.affinitySeconds === undefined
          ? {}
          : { affinitySeconds: scenario.affinitySeconds }),
        ...(scenario.connection.requests === 1 ? { flowTimeoutMs: ONE_QUERY_FLOW_MS } : {}),
      }),
  };
}
