import type { Algorithm } from '../../src/bench/algorithms/balancer.ts';
import { planOf } from '../../src/bench/scenario/plan.ts';
import type { BackendGroup, Scenario } from '../../src/bench/scenario/scenario.ts';
import { simulate } from '../../src/bench/sim/simulation.ts';
import type { Recorder } from '../../src/bench/stats/recorder.ts';

/** A scenario with one group of single-server backends and Poisson arrivals, but for what is given. */
export function scenario(
  changes: Partial<Omit<Scenario, 'backends'>> & { readonly pods?: Partial<BackendGroup> } = {},
): Scenario {
  const { pods, ...rest } = changes;
  return {
    name: 'test',
    question: 'Does it work?',
    lookFor: 'whether it works',
    protocol: 'TCP',
    nodes: 1,
    entry: 'source',
    externalTrafficPolicy: 'Cluster',
    backends: [
      {
        name: 'pod',
        count: 1,
        weight: 1,
        serviceTime: { kind: 'exponential', meanMs: 10 },
        concurrency: 1,
        queueLimit: Infinity,
        ...pods,
      },
    ],
    sources: { addresses: 1000, skew: 0 },
    arrivals: { kind: 'poisson', ratePerSecond: 50 },
    connection: { requests: 1, multiplexed: false },
    durationMs: 10_000,
    warmUpMs: 0,
    events: [],
    algorithms: [],
    seeds: 1,
    live: { durationMs: 1000, warmUpMs: 0, algorithms: [], seeds: 1 },
    ...rest,
  };
}

export function run(one: Scenario, algorithm: Algorithm, seed = 'a'): Recorder {
  return simulate(planOf(one), algorithm, seed);
}
