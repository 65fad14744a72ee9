// The two engines of podwire bench against each other, on real sockets and in three processes.
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ALGORITHMS, algorithmNamed } from '../../src/bench/algorithms/registry.ts';
import { type Contender, podwireContender } from '../../src/bench/live/contender.ts';
import { installedKernelPeers, kernelContenders } from '../../src/bench/live/kernel-peers.ts';
import { installedPeers, peerContenders } from '../../src/bench/live/peers.ts';
import { agreements } from '../../src/bench/report/agreement.ts';
import type { AlgorithmResult, ScenarioResult } from '../../src/bench/report/result.ts';
import { wasDisturbed } from '../../src/bench/report/verdict.ts';
import { runScenariosBoth } from '../../src/bench/run/run-bench.ts';
import { runLive } from '../../src/bench/run/run-live.ts';
import type { Scenario } from '../../src/bench/scenario/scenario.ts';
import { loadScenario } from '../../src/bench/scenario/shipped-scenarios.ts';
import { provideProxies } from './support/peers.ts';

const SEED = { seed: 'agree', seeds: 1 };
/** What is measured is real time: a machine that has other things to do does everything slowly, and some of it twice. */
const REAL_TIME = { retry: 3, timeout: 300_000 };

function shipped(name: string, durationMs: number, warmUpMs = 500): Scenario {
  const scenario = loadScenario(name, new Set(ALGORITHMS.map((one) => one.name)));
  return { ...scenario, live: { ...scenario.live, durationMs, warmUpMs } };
}

function run(scenario: Scenario, contenders: readonly Contender[]): Promise<ScenarioResult> {
  return runLive(scenario, { ...SEED, contenders, clock: systemClock, onProgress: () => {} });
}

function live(scenario: Scenario, algorithms: readonly string[]): Promise<ScenarioResult> {
  return run(scenario, algorithms.map(algorithmNamed).map(podwireContender));
}

type Skip = (condition: boolean, note: string) => void;

/**
 * Ends a test here where figures would be the machine's: it had so much else to do that repetitions were late by
 * themselves, and doing them again did not help.
 */
function onlyWhenQuiet(skip: Skip, ...results: readonly ScenarioResult[]): void {
  const disturbed = results.flatMap(({ algorithms }) =>
    algorithms.flatMap(({ name, runs }) =>
      runs.filter(wasDisturbed).map(({ slip }) => `${name} ${slip?.meanMs.toFixed(1)} ms late`),
    ),
  );
  skip(disturbed.length > 0, `the machine was too busy: ${disturbed.join(', ')}`);
}

function shares(result: AlgorithmResult | undefined): number[] {
  const requests = result?.backends.map((backend) => backend.requests) ?? [];
  const total = requests.reduce((sum, count) => sum + count, 0);
  return requests.map((count) => count / total);
}

test(
  'simulated and on real sockets, the validation scenario agrees within the bounds of docs/bench.md',
  REAL_TIME,
  async ({ skip }) => {
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
    const [agreement] = agreements(result);
    const rows = agreement?.rows ?? [];
    expect(rows.map(({ algorithm }) => algorithm)).toEqual(['ipvs-lc', 'iptables']);
    for (const { algorithms } of result.scenarios)
      for (const { runs } of algorithms) expect(runs).toHaveLength(3);
    for (const row of rows) expect(row).toMatchObject({ holds: expect.not.stringMatching(/^no$/) });
    onlyWhenQuiet(skip, ...result.scenarios);
    for (const row of rows) expect(row).toMatchObject({ holds: 'yes' });
    for (const { algorithms } of result.scenarios)
      for (const { runs } of algorithms)
        for (const { metrics } of runs) expect(metrics.failedShare).toBe(0);
  },
);

test(
  'keep-alive clients, a rollout and a dead pod, on real sockets',
  REAL_TIME,
  async ({ skip }) => {
    const rollout = await live(shipped('rolling-update', 4000), ['ipvs-lc']);
    const death = await live(shipped('dead-backend', 3000), ['ipvs-rr']);
    const failed = death.algorithms[0]?.runs[0]?.metrics.failedShare ?? 0;
    expect(failed).toBeGreaterThan(0);
    onlyWhenQuiet(skip, rollout, death);
    expect(failed).toBeLessThan(0.2);
    expect(rollout.algorithms[0]?.runs[0]?.metrics.failedShare).toBeLessThan(0.05);
    for (const share of shares(rollout.algorithms[0]).slice(8)) expect(share).toBeGreaterThan(0);
  },
);

test(
  'DNS over UDP: every query is answered, and least connections does not see the busy pod',
  REAL_TIME,
  async ({ skip }) => {
    const result = await live(shipped('udp-dns', 1500), ['iptables', 'ipvs-lc', 'jsq']);
    onlyWhenQuiet(skip, result);
    for (const { runs } of result.algorithms) expect(runs[0]?.metrics.failedShare).toBe(0);
    const [, lc, jsq] = result.algorithms.map(shares);
    for (const share of lc ?? []) expect(share).toBeCloseTo(1 / 3, 1);
    expect(jsq?.[2]).toBeLessThan(0.3);
  },
);

test(
  'latency runs from when a request was due, also where the one before it is not answered yet',
  REAL_TIME,
  async ({ skip }) => {
    // The k-th is due after 5 k ms, and a pod that takes 20 ms for each has it at 20 (k + 1): 20 + 15 k later.
    const requests = 40;
    const scenario: Scenario = {
      ...shipped('known-mm1', 4000, 0),
      backends: shipped('known-mm1', 4000, 0).backends.map((group) => ({
        ...group,
        serviceTime: { kind: 'constant', meanMs: 20 },
      })),
      arrivals: { kind: 'trace', startsMs: [0] },
      connection: { requests, multiplexed: false, gap: { kind: 'constant', meanMs: 5 } },
    };
    const result = await live(scenario, ['ipvs-rr']);
    onlyWhenQuiet(skip, result);
    const [measured] = result.algorithms[0]?.runs ?? [];
    expect(measured?.requests).toBe(requests);
    // Timers of whole milliseconds may be one early.
    expect(measured?.metrics.meanMs).toBeGreaterThan(20 + (15 * (requests - 1)) / 2 - 1);
    expect(measured?.metrics.maxMs).toBeGreaterThan(20 + 15 * (requests - 1) - 1);
  },
);

test(
  'points of reference watch requests through the proxy: several in a connection, too',
  REAL_TIME,
  async ({ skip }) => {
    const oneEach = shipped('slow-backend', 1500);
    const references = ['p2c', 'peak-ewma', 'bounded-hash', 'smooth-wrr', 'jsq'];
    const single = await live(oneEach, references);
    const several = await live({ ...oneEach, connection: { requests: 5, multiplexed: false } }, [
      'p2c',
    ]);
    onlyWhenQuiet(skip, single, several);
    const slow = single.algorithms.map((result) => shares(result).at(-1) ?? 1);
    for (const { runs } of single.algorithms) expect(runs[0]?.metrics.failedShare).toBe(0);
    // smooth-wrr looks at nothing, so the slow pod gets its tenth; whoever looks gives it less.
    expect(slow[3]).toBeCloseTo(0.1, 1);
    for (const seeing of [0, 1, 4]) expect(slow[seeing]).toBeLessThan(slow[3] ?? 0);
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
  async ({ skip }) => {
    const scenario = shipped('cold-join', 2000);
    const result = await run(scenario, kernelContenders(scenario, kernel));
    expect(result.algorithms.map(({ name }) => name)).toEqual([...kernel.keys()]);
    for (const one of result.algorithms) expect(one.cpuUsPerRequest).toBeUndefined();
    expect(spawnSync('iptables-save', { encoding: 'utf8' }).stdout).not.toContain('default/bench');
    onlyWhenQuiet(skip, result);
    for (const one of result.algorithms) {
      expect(one.runs[0]?.metrics.failedShare).toBe(0);
      // Of six pods the last joined on the way.
      expect(shares(one)[5]).toBeGreaterThan(0.1);
    }
  },
);

describe('HAProxy and nginx', () => {
  let installed: ReadonlyMap<string, string>;

  beforeAll(async () => {
    provideProxies();
    installed = await installedPeers();
    for (const program of ['haproxy', 'nginx'])
      if (!installed.has(program)) process.stderr.write(`${program} skipped: cannot be had\n`);
  }, REAL_TIME.timeout);

  test('run in the same table as the proxy and the kernel', REAL_TIME, async ({ skip }) => {
    skip(!installed.has('haproxy') && !installed.has('nginx'), 'neither can be had');
    const scenario = shipped('slow-backend', 1400, 400);
    const peers = peerContenders(scenario, installed, systemClock);
    const result = await run(scenario, [podwireContender(algorithmNamed('ipvs-rr')), ...peers]);
    const proxies = result.algorithms.filter(({ name }) => !name.startsWith('kernel-'));
    expect(proxies.length).toBe(
      1 + 4 * ['haproxy', 'nginx'].filter((one) => installed.has(one)).length,
    );
    for (const { name, runs, cpuUsPerRequest } of proxies) {
      expect({ name, answered: runs[0]?.requests }).not.toEqual({ name, answered: 0 });
      expect(cpuUsPerRequest).toBeGreaterThan(0);
    }
    onlyWhenQuiet(skip, result);
    for (const { runs } of result.algorithms) expect(runs[0]?.metrics.failedShare).toBe(0);
    const slow = new Map(result.algorithms.map((one) => [one.name, shares(one).at(-1) ?? 1]));
    const of = (suffix: string) => [...slow].filter(([name]) => name.endsWith(suffix));
    for (const [, share] of of('roundrobin')) expect(share).toBeCloseTo(0.1, 1);
    for (const [, share] of of('leastconn')) expect(share).toBeLessThan(0.095);
  });
});
