// The simulation against closed formulas: if these hold, arrivals, queues, service and measuring do.
import { describe, expect, test } from 'vitest';
import { choicesAlgorithm } from '../../../src/bench/algorithms/reference/choices.ts';
import type { Distribution } from '../../../src/bench/scenario/scenario.ts';
import { run, scenario } from '../support.ts';

const random = choicesAlgorithm(1, 'random', 'one at random');

/** Erlang's C formula: the chance that an arrival at an M/M/n queue must wait. */
function erlangC(servers: number, offered: number): number {
  let inverseB = 1;
  for (let n = 1; n <= servers; n += 1) inverseB = 1 + (inverseB * n) / offered;
  const b = 1 / inverseB;
  return b / (1 - (offered / servers) * (1 - b));
}

describe('mean response time is what theory says, within 1 %', () => {
  const meanMs = 10;
  for (const [servers, load] of [
    [1, 0.3],
    [1, 0.6],
    [2, 0.7],
    [8, 0.8],
    [50, 0.9],
  ] as const)
    test(`M/M/${servers} at load ${load}`, () => {
      const ratePerSecond = (servers * load * 1000) / meanMs;
      const connections = 1_500_000;
      const durationMs = (connections * 1000) / ratePerSecond;
      const recorder = run(
        scenario({
          pods: { concurrency: servers },
          arrivals: { kind: 'poisson', ratePerSecond },
          durationMs,
          warmUpMs: durationMs / 100,
        }),
        random,
        'theory',
      );
      const waiting = erlangC(servers, servers * load) * (meanMs / (servers * (1 - load)));
      const expected = meanMs + waiting;
      expect(recorder.latency.count).toBeGreaterThan(connections * 0.98);
      expect(Math.abs(recorder.latency.meanMs / expected - 1)).toBeLessThan(0.01);
    });

  // Pollaczek–Khinchine: the wait grows with the squared coefficient of variation of the service time.
  const cases: { name: string; serviceTime: Distribution; squaredVariation: number }[] = [
    { name: 'constant', serviceTime: { kind: 'constant', meanMs }, squaredVariation: 0 },
    {
      name: 'bimodal',
      serviceTime: { kind: 'bimodal', fastMs: 5, slowMs: 55, slowFraction: 0.1 },
      squaredVariation: 2.25,
    },
    {
      name: 'lognormal',
      serviceTime: { kind: 'lognormal', meanMs, sigma: 0.8 },
      squaredVariation: Math.exp(0.64) - 1,
    },
    {
      name: 'Pareto',
      serviceTime: { kind: 'pareto', meanMs, shape: 5 },
      squaredVariation: 1 / 15,
    },
  ];
  for (const { name, serviceTime, squaredVariation } of cases)
    test(`M/G/1 with ${name} service times at load 0.5`, () => {
      const load = 0.5;
      const ratePerSecond = (load * 1000) / meanMs;
      const recorder = run(
        scenario({
          pods: { serviceTime },
          arrivals: { kind: 'poisson', ratePerSecond },
          durationMs: (1_500_000 * 1000) / ratePerSecond,
        }),
        random,
        'pk',
      );
      const expected = meanMs + (load / (1 - load)) * meanMs * ((1 + squaredVariation) / 2);
      expect(Math.abs(recorder.latency.meanMs / expected - 1)).toBeLessThan(0.01);
    });
});

test('a closed loop obeys the response time law: clients = throughput × (response + think)', () => {
  const clients = 20;
  const recorder = run(
    scenario({
      pods: { concurrency: 2 },
      arrivals: { kind: 'closed', clients, think: { kind: 'exponential', meanMs: 100 } },
      connection: { requests: Infinity, multiplexed: false },
      durationMs: 2_000_000,
      warmUpMs: 10_000,
    }),
    random,
  );
  const perMs = recorder.latency.count / 1_990_000;
  expect(perMs * (recorder.latency.meanMs + 100)).toBeCloseTo(clients, 1);
});

test('a loss system refuses what Erlang B says', () => {
  const recorder = run(
    scenario({
      pods: { concurrency: 5, queueLimit: 0 },
      arrivals: { kind: 'poisson', ratePerSecond: 400 },
      durationMs: 2_000_000,
    }),
    random,
  );
  let inverseB = 1;
  for (let n = 1; n <= 5; n += 1) inverseB = 1 + (inverseB * n) / 4;
  const total = recorder.latency.count + recorder.failures.overflow;
  expect(recorder.failures.overflow / total).toBeCloseTo(1 / inverseB, 2);
});
