// The two engines of podwire bench against each other, on real sockets and in three processes.
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ALGORITHMS, algorithmNamed } from '../../src/bench/algorithms/registry.ts';
import { podwireContender } from '../../src/bench/live/contender.ts';
import { installedPeers, peerContenders } from '../../src/bench/live/peers.ts';
import { metricInterval } from '../../src/bench/report/metric-info.ts';
import type { AlgorithmResult, ScenarioResult } from '../../src/bench/report/result.ts';
import { liveScenario, runLive } from '../../src/bench/run/run-live.ts';
import { runSimulated } from '../../src/bench/run/run-sim.ts';
import type { Scenario } from '../../src/bench/scenario/scenario.ts';
import { loadScenario } from '../../src/bench/scenario/shipped-scenarios.ts';

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

describe('the validation scenario', () => {
  const algorithms = ['ipvs-rr', 'ipvs-lc', 'iptables'];

  test('looks the same simulated and on real sockets', async () => {
    const scenario = shipped('validation', 8000);
    const real = await live(scenario, algorithms);
    const simulated = await runSimulated(liveScenario(scenario), {
      ...SEED,
      algorithms: algorithms.map(algorithmNamed),
      onProgress: async () => {},
    });
    for (const [index, name] of algorithms.entries()) {
      const [a, b] = [real.algorithms[index], simulated.algorithms[index]];
      if (a === undefined || b === undefined) throw new Error(`no result for ${name}`);
      expect(a.runs[0]?.metrics.failedShare).toBe(0);
      for (const [backend, share] of shares(a).entries())
        expect(Math.abs(share - (shares(b)[backend] ?? 0))).toBeLessThan(0.02);
      const [realP50, simP50] = [metricInterval(a, 'p50Ms').mean, metricInterval(b, 'p50Ms').mean];
      // Real sockets cannot be faster. How much slower they are depends on what else the machine does: the report tells.
      expect(realP50).toBeGreaterThan(simP50 - 2);
    }
  });
});

test('keep-alive clients, a rollout and a dead pod, on real sockets', async () => {
  const rollout = await live(shipped('rolling-update', 4000), ['ipvs-lc']);
  expect(rollout.algorithms[0]?.runs[0]?.metrics.failedShare).toBeLessThan(0.02);
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

test('peers that are installed run in the same table', async () => {
  const scenario = shipped('validation', 1500);
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
