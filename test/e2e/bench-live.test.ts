// The two engines of podwire bench against each other, on real sockets and in three processes.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ALGORITHMS, algorithmNamed } from '../../src/bench/algorithms/registry.ts';
import { podwireContender } from '../../src/bench/live/contender.ts';
import { installedKernelPeers, kernelContenders } from '../../src/bench/live/kernel-peers.ts';
import { installedPeers, peerContenders } from '../../src/bench/live/peers.ts';
import { agreements } from '../../src/bench/report/agreement.ts';
import type { AlgorithmResult, ScenarioResult } from '../../src/bench/report/result.ts';
import { runScenariosBoth } from '../../src/bench/run/run-bench.ts';
import { runLive } from '../../src/bench/run/run-live.ts';
import type { Scenario } from '../../src/bench/scenario/scenario.ts';
import { loadScenario } from '../../src/bench/scenario/shipped-scenarios.ts';

/** What is measured is real time: a machine that has other things to do for a while may have them for the whole of a run. */
const REAL_TIME = { retry: 3, timeout: 300_000 };
const SEED = { seed: 'agree', seeds: 1 };
function shipped(name: string, durationMs: number): Scenario {
  const scenario = loadScenario(name, new Set(ALGORITHMS.map((one) => one.name)));
  return { ...scenario, live: { ...scenario.live, durationMs, warmUpMs: 500 } };
}

function live(scenario: Scenario, algorithms: readonly string[]): Promise<ScenarioResult> {
  return runLive(scenario, {
    ...SEED,
    contenders: algorithms.map(algorithmNamed).map(podwireContender),
    clock: systemClock,
    onProgress: () => {},
  });
}

function shares(result: AlgorithmResult | undefined): number[] {
  const requests = result?.backends.map((backend) => backend.requests) ?? [];
  const total = requests.reduce((sum, count) => sum + count, 0);
  return requests.map((count) => count / total);
}

test(
  'simulated and on real sockets, the validation scenario agrees within the bounds of docs/bench.md',
  REAL_TIME,
  async () => {
    const result = await runScenariosBoth(
      {
        scenarios: ['validation'],
        algorithms: ['ipvs-lc', 'iptables'],
        seed: 'agree',
        version: 'test',
        onProgress: () => {},
      },
      systemClock,
    );
    for (const { algorithms } of result.scenarios)
      for (const { runs } of algorithms) {
        expect(runs).toHaveLength(3);
        for (const { metrics } of runs) expect(metrics.failedShare).toBe(0);
      }
    const [agreement] = agreements(result);
    expect(agreement?.rows.map(({ algorithm }) => algorithm)).toEqual(['ipvs-lc', 'iptables']);
    for (const row of agreement?.rows ?? []) expect(row).toMatchObject({ holds: true });
  },
);

test('keep-alive clients, a rollout and a dead pod, on real sockets', REAL_TIME, async () => {
  const rollout = await live(shipped('rolling-update', 4000), ['ipvs-lc']);
  expect(rollout.algorithms[0]?.runs[0]?.metrics.failedShare).toBeLessThan(0.05);
  expect(
    shares(rollout.algorithms[0])
      .slice(8)
      .every((share) => share > 0),
  ).toBe(true);
  const death = await live(shipped('dead-backend', 3000), ['ipvs-rr']);
  const failed = death.algorithms[0]?.runs[0]?.metrics.failedShare ?? 0;
  expect(failed).toBeGreaterThan(0);
  expect(failed).toBeLessThan(0.2);
});

test(
  'DNS over UDP: every query is answered, and least connections does not see the busy pod',
  REAL_TIME,
  async () => {
    const result = await live(shipped('udp-dns', 1500), ['iptables', 'ipvs-lc', 'jsq']);
    for (const { runs } of result.algorithms) expect(runs[0]?.metrics.failedShare).toBe(0);
    const [, lc, jsq] = result.algorithms.map(shares);
    for (const share of lc ?? []) expect(share).toBeCloseTo(1 / 3, 1);
    expect(jsq?.[2]).toBeLessThan(0.3);
  },
);

test(
  'points of reference watch requests through the proxy: several in a connection, too',
  REAL_TIME,
  async () => {
    const oneEach = shipped('slow-backend', 1500);
    const references = ['p2c', 'peak-ewma', 'bounded-hash', 'smooth-wrr', 'jsq'];
    const single = await live(oneEach, references);
    const slow = single.algorithms.map((result) => shares(result).at(-1) ?? 1);
    for (const { runs } of single.algorithms) expect(runs[0]?.metrics.failedShare).toBe(0);
    // smooth-wrr looks at nothing, so the slow pod gets its tenth; whoever looks gives it less.
    expect(slow[3]).toBeCloseTo(0.1, 2);
    for (const seeing of [0, 1, 4]) expect(slow[seeing]).toBeLessThan(0.095);
    const several = await live({ ...oneEach, connection: { requests: 5, multiplexed: false } }, [
      'p2c',
    ]);
    expect(several.algorithms[0]?.runs[0]?.metrics.failedShare).toBe(0);
    // Connections of the warm-up count, and on a busy machine the last ones are cut short.
    const { requests = 0, connections = 0 } = several.algorithms[0]?.runs[0] ?? {};
    expect(requests / connections).toBeGreaterThan(1.5);
  },
);

const kernel = installedKernelPeers();
if (kernel.size === 0) process.stderr.write('kernel rules skipped: no namespaces or no iptables\n');

test.skipIf(kernel.size === 0)(
  "the kernel balances with kube-proxy's rules, in a namespace and nowhere else, and follows a change",
  REAL_TIME,
  async () => {
    const scenario = shipped('cold-join', 2000);
    const result = await runLive(scenario, {
      ...SEED,
      contenders: kernelContenders(scenario, kernel),
      clock: systemClock,
      onProgress: () => {},
    });
    expect(result.algorithms.map(({ name }) => name)).toEqual([...kernel.keys()]);
    for (const one of result.algorithms) {
      expect(one.runs[0]?.metrics.failedShare).toBe(0);
      expect(one.cpuUsPerRequest).toBeUndefined();
      // Of six pods the last joined on the way.
      expect(shares(one)[5]).toBeGreaterThan(0.1);
    }
    expect(spawnSync('iptables-save', { encoding: 'utf8' }).stdout).not.toContain('default/bench');
  },
);

test('peers that are installed run in the same table', REAL_TIME, async () => {
  const scenario = shipped('equal-backends', 1500);
  const contenders = peerContenders(scenario, await installedPeers(), systemClock);
  const result = await runLive(scenario, {
    ...SEED,
    contenders: contenders.filter(({ name }) => name.endsWith('-leastconn')),
    clock: systemClock,
    onProgress: () => {},
  });
  for (const { runs, cpuUsPerRequest } of result.algorithms) {
    expect(runs[0]?.metrics.failedShare).toBe(0);
    expect(cpuUsPerRequest).toBeGreaterThan(0);
  }
});
