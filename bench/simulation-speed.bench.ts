// Connections a second that one core simulates, with 100 backends at 80 % load.
import { algorithmNamed } from '../src/bench/algorithms/registry.ts';
import { planOf } from '../src/bench/scenario/plan.ts';
import type { Scenario } from '../src/bench/scenario/scenario.ts';
import { simulate } from '../src/bench/sim/simulation.ts';

const SCENARIO: Scenario = {
  name: 'speed',
  question: 'How fast is the simulation?',
  lookFor: 'connections a second',
  protocol: 'TCP',
  nodes: 1,
  entry: 'source',
  externalTrafficPolicy: 'Cluster',
  backends: [
    {
      name: 'pod',
      count: 100,
      weight: 1,
      serviceTime: { kind: 'exponential', meanMs: 10 },
      concurrency: 1,
      queueLimit: Infinity,
    },
  ],
  sources: { addresses: 1000, skew: 0 },
  arrivals: { kind: 'poisson', ratePerSecond: 8000 },
  connection: { requests: 1, multiplexed: false },
  durationMs: 125_000,
  warmUpMs: 5000,
  events: [],
  algorithms: [],
  seeds: 1,
  live: { durationMs: 1, warmUpMs: 0, algorithms: [], seeds: 1 },
};
const NAMES = ['iptables', 'userspace', 'ipvs-rr', 'ipvs-lc', 'ipvs-mh', 'p2c', 'jsq'] as const;

export function simulationSpeed(print: (line: string) => void): void {
  print('simulated connections a second of one core, 100 backends, a million connections');
  const plan = planOf(SCENARIO);
  for (const name of NAMES) {
    const algorithm = algorithmNamed(name);
    simulate(plan, algorithm, 'warm');
    const before = process.cpuUsage();
    const { totalConnections } = simulate(plan, algorithm, 'speed');
    const { user, system } = process.cpuUsage(before);
    const perSecond = Math.round((totalConnections * 1e6) / (user + system));
    print(`${name.padEnd(44)} ${perSecond.toLocaleString('en-US').padStart(14)} /s`);
  }
}
