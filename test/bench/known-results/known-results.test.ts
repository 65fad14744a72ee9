// What is known of these algorithms, reproduced with seeds. Each cites where it is known from.
import { describe, expect, test } from 'vitest';
import type { Algorithm } from '../../../src/bench/algorithms/balancer.ts';
import { choicesAlgorithm } from '../../../src/bench/algorithms/reference/choices.ts';
import { ALGORITHMS, algorithmNamed } from '../../../src/bench/algorithms/registry.ts';
import { metricInterval } from '../../../src/bench/report/metric-info.ts';
import type { AlgorithmResult, Metric } from '../../../src/bench/report/result.ts';
import { runSimulated } from '../../../src/bench/run/run-sim.ts';
import { planOf } from '../../../src/bench/scenario/plan.ts';
import { loadScenario } from '../../../src/bench/scenario/shipped-scenarios.ts';
import { simulate } from '../../../src/bench/sim/simulation.ts';
import { separate } from '../../../src/bench/stats/interval.ts';
import { run, scenario } from '../support.ts';

const KNOWN = new Set(ALGORITHMS.map(({ name }) => name));

/** Runs a shipped scenario, shortened, with a few algorithms and three seeds. */
async function shipped(
  name: string,
  algorithms: readonly string[],
  changes: Partial<Pick<ReturnType<typeof loadScenario>, 'durationMs' | 'nodes'>> = {},
): Promise<Map<string, AlgorithmResult>> {
  const result = await runSimulated(
    { ...loadScenario(name, KNOWN), ...changes },
    {
      algorithms: algorithms.map(algorithmNamed),
      seed: 'known',
      seeds: 3,
      onProgress: async () => {},
    },
  );
  return new Map(result.algorithms.map((one) => [one.name, one]));
}

function mean(results: Map<string, AlgorithmResult>, name: string, metric: Metric): number {
  const result = results.get(name);
  if (result === undefined) throw new Error(`no result for ${name}`);
  return metricInterval(result, metric).mean;
}

describe('the mean response of one queue is what theory says, within 1 %', () => {
  // Kleinrock, Queueing Systems 1, 3.2 and 3.5: 1 / (μ - λ), and Erlang's C formula for eight servers at 80 %.
  test.each([
    ['known-mm1', 25],
    ['known-mmn', 12.86],
  ])('%s: %d ms', async (name, expected) => {
    const results = await shipped(name, ['ipvs-rr']);
    expect(Math.abs(mean(results, 'ipvs-rr', 'meanMs') / expected - 1)).toBeLessThan(0.01);
  });
});

describe('two choices (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 2001)', () => {
  /** Puts n balls into n bins and returns the fullest bin: connections that never end. */
  function maximumLoad(algorithm: Algorithm, bins: number, seed: string): number {
    const recorder = run(
      scenario({
        pods: {
          count: bins,
          concurrency: Infinity,
          serviceTime: { kind: 'constant', meanMs: 1e9 },
        },
        arrivals: { kind: 'trace', startsMs: Array.from({ length: bins }, () => 1) },
        durationMs: 10,
      }),
      algorithm,
      seed,
    );
    return Math.max(...recorder.peakConnections);
  }

  const random = choicesAlgorithm(1, 'random', 'one at random');
  const two = choicesAlgorithm(2, 'two', 'the better of two');
  const average = (algorithm: Algorithm, bins: number): number => {
    const seeds = ['a', 'b', 'c', 'd', 'e', 'f'];
    const loads = seeds.map((seed) => maximumLoad(algorithm, bins, seed));
    return loads.reduce((sum, load) => sum + load, 0) / loads.length;
  };

  test('one choice: about ln n / ln ln n; two: ln ln n / ln 2 + O(1), exponentially less', () => {
    // n = 4096: the leading terms are 3.9 and 3.06; the first has a large second-order term.
    expect(average(random, 4096)).toBeGreaterThanOrEqual(5.5);
    expect(average(random, 4096)).toBeLessThan(8.5);
    expect(average(two, 4096)).toBeGreaterThanOrEqual(2.9);
    expect(average(two, 4096)).toBeLessThanOrEqual(3.5);
  });

  test('in queues: the mean at load 0.9 falls from 10 service times to about 2.61', async () => {
    // n to infinity: sum over i of 0.9^((d^i - d) / (d - 1)), Theorem 1 of the same paper.
    const expected = [1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum + 0.9 ** (2 ** i - 2), 0);
    const results = await shipped('known-two-choices', ['iptables', 'p2c']);
    const services = (name: string): number => mean(results, name, 'meanMs') / 10;
    expect(services('p2c') / expected).toBeGreaterThan(0.96);
    expect(services('p2c') / expected).toBeLessThan(1.04);
    expect(services('iptables')).toBeGreaterThan(8);
    expect(mean(results, 'iptables', 'peakConnections')).toBeGreaterThan(
      5 * mean(results, 'p2c', 'peakConnections'),
    );
  });
});

test('heavy-tailed requests: rr queues behind long ones, least connections does not', async () => {
  // Harchol-Balter, Crovella, Murta, On Choosing a Task Assignment Policy …, JPDC 59(2), 1999.
  const results = await shipped('heavy-tail', ['ipvs-rr', 'ipvs-lc', 'jsq'], {
    durationMs: 60_000,
  });
  expect(mean(results, 'ipvs-rr', 'p99Ms')).toBeGreaterThan(10 * mean(results, 'ipvs-lc', 'p99Ms'));
  expect(mean(results, 'ipvs-lc', 'p99Ms')).toBeLessThan(1.5 * mean(results, 'jsq', 'p99Ms'));
});

test('ipvs lc counts a node at a time: its imbalance grows with the nodes (kubernetes issue 79213)', async () => {
  const spread: number[] = [];
  const bound: number[] = [];
  for (const nodes of [1, 3, 20]) {
    const name = `per-node-counters-${nodes}`;
    const results = await shipped(name, ['ipvs-lc', 'jsq'], { durationMs: 20_000 });
    spread.push(mean(results, 'ipvs-lc', 'connectionSpread'));
    bound.push(mean(results, 'jsq', 'connectionSpread'));
  }
  expect(spread[1]).toBeGreaterThan((spread[0] ?? 0) * 1.1);
  expect(spread[2]).toBeGreaterThan((spread[1] ?? 0) * 1.3);
  expect(Math.max(...bound) / Math.min(...bound)).toBeLessThan(1.05);
});

test('sh with four NATed clients uses at most four pods of twelve; hashing the port uses all', async () => {
  const results = await shipped('nat-clients', ['ipvs-sh', 'ipvs-mh'], { durationMs: 20_000 });
  // Jain's index is k/n when k of n are used alike.
  for (const { metrics } of results.get('ipvs-sh')?.runs ?? [])
    expect(metrics.jain).toBeLessThan(4 / 12 + 0.005);
  expect(mean(results, 'ipvs-mh', 'jain')).toBeGreaterThan(0.99);
});

describe('what a change of backends moves', () => {
  /** The share of sources that are sent elsewhere after one of `count` pods more. */
  const movedByJoin = (algorithm: string, count: number): number => {
    const one = scenario({
      pods: { count, concurrency: Infinity },
      sources: { addresses: 4000, skew: 0 },
      arrivals: { kind: 'constant', ratePerSecond: 2000 },
      durationMs: 20_000,
      events: [{ kind: 'join', group: 'pod', atMs: 10_000, count: 1 }],
    });
    const { moved, returned } = simulate(planOf(one), algorithmNamed(algorithm), 'moved');
    expect(returned).toBeGreaterThan(3500);
    return moved / returned;
  };

  test('Maglev: little more than the share of the new one (Eisenbud et al., NSDI 2016, 5.3)', async () => {
    const results = await shipped('known-maglev', ['ipvs-mh-source', 'ipvs-sh']);
    const least = 1 / 25;
    expect(mean(results, 'ipvs-mh-source', 'movedShare')).toBeGreaterThan(least * 0.8);
    expect(mean(results, 'ipvs-mh-source', 'movedShare')).toBeLessThan(least + 0.08);
    expect(mean(results, 'ipvs-sh', 'movedShare')).toBeGreaterThan(0.8);
    expect(movedByJoin('ipvs-mh-source', 9)).toBeLessThan(1 / 10 + 0.08);
  });

  test('sh: nearly everything, since its table is dealt out in turn', () => {
    expect(movedByJoin('ipvs-sh', 9)).toBeGreaterThan(0.8);
  });

  test('a ring with bounded loads: the new one takes its share and some overflow shifts', () => {
    expect(movedByJoin('bounded-hash', 9)).toBeLessThan(0.6);
  });
});

test('keep-alive defeats iptables after a rollout: the last new pod idles (kubernetes issue 38456)', async () => {
  const results = await shipped('rolling-update', ['iptables', 'ipvs-lc', 'jsq']);
  const finals = (name: string): number[] =>
    results
      .get(name)
      ?.backends.slice(8)
      .map(({ requests }) => requests) ?? [];
  const [first, last] = [finals('iptables')[0] ?? 0, finals('iptables').at(-1) ?? 0];
  expect(first).toBeGreaterThan(2 * last);
  expect(mean(results, 'iptables', 'maxOverMean')).toBeGreaterThan(1.3);
  // Even knowing everything does not help: connections are chosen once, and nobody comes back to choose.
  expect(mean(results, 'jsq', 'maxOverMean')).toBeGreaterThan(1.3);
});

test('ipvs sed sends all UDP to one backend, since datagrams are never active', async () => {
  const results = await shipped('udp-dns', ['ipvs-sed', 'ipvs-rr'], { durationMs: 5000 });
  for (const { metrics } of results.get('ipvs-sed')?.runs ?? [])
    expect(metrics.jain).toBeCloseTo(1 / 3, 6);
  expect(mean(results, 'ipvs-rr', 'jain')).toBeGreaterThan(0.999);
});

test('externalTrafficPolicy Local with 4, 1 and 1 pods: a lone pod gets a third, whatever the scheduler', async () => {
  const results = await shipped('nodeport-local', ['iptables', 'ipvs-lc'], { durationMs: 20_000 });
  for (const name of ['iptables', 'ipvs-lc']) {
    const requests = results.get(name)?.backends.map((backend) => backend.requests) ?? [];
    const total = requests.reduce((sum, count) => sum + count, 0);
    expect((requests[4] ?? 0) / total).toBeCloseTo(1 / 3, 1);
    expect((requests[0] ?? 0) / total).toBeCloseTo(1 / 12, 1);
  }
});

test('weights: wrr and wlc use what rr leaves idle', async () => {
  const results = await shipped('weights', ['ipvs-rr', 'ipvs-wrr', 'ipvs-wlc'], {
    durationMs: 15_000,
  });
  const of = (name: string) => results.get(name) as AlgorithmResult;
  const p99 = (name: string) => metricInterval(of(name), 'p99Ms');
  expect(separate(p99('ipvs-rr'), p99('ipvs-wlc'))).toBe(true);
  expect(p99('ipvs-wlc').mean).toBeLessThan(p99('ipvs-rr').mean / 3);
  expect(mean(results, 'ipvs-wrr', 'jain')).toBeGreaterThan(0.999);
});
