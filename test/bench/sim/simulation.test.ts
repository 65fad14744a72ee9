import { describe, expect, test } from 'vitest';
import { choicesAlgorithm } from '../../../src/bench/algorithms/reference/choices.ts';
import { ALGORITHMS, algorithmNamed } from '../../../src/bench/algorithms/registry.ts';
import { run, scenario } from '../support.ts';

const random = choicesAlgorithm(1, 'random', 'one at random');
const QUICK = { kind: 'constant', meanMs: 1 } as const;

describe('every algorithm', () => {
  for (const algorithm of ALGORITHMS)
    test(`${algorithm.name} answers or accounts for every request, the same twice`, () => {
      const one = scenario({
        nodes: 3,
        pods: { count: 6, concurrency: 2, queueLimit: 20 },
        arrivals: { kind: 'poisson', ratePerSecond: 600 },
        durationMs: 8000,
        events: [
          { kind: 'die', group: 'pod', atMs: 2000, count: 1, noticedAfterMs: 500 },
          { kind: 'join', group: 'pod', atMs: 4000, count: 1 },
          { kind: 'roll', group: 'pod', atMs: 5000, intervalMs: 200, graceMs: 100 },
        ],
      });
      const first = run(one, algorithm);
      const failed = Object.values(first.failures).reduce((sum, count) => sum + count, 0);
      const refused = first.failures.refused + first.failures.unreachable;
      expect(first.latency.count + failed).toBe(first.totalConnections + refused);
      expect(first.openConnections.every((open) => open === 0)).toBe(true);
      const second = run(one, algorithm);
      expect(second.requests).toEqual(first.requests);
      expect(second.failures).toEqual(first.failures);
      expect(second.latency.meanMs).toBe(first.latency.meanMs);
    });
});

describe('connections', () => {
  test('a pipelined gap counts from when a request was due, not from when it was sent', () => {
    // Service takes 10 ms, requests are due every 4 ms: the k-th waits 6 (k - 1) ms more.
    const recorder = run(
      scenario({
        pods: { serviceTime: { kind: 'constant', meanMs: 10 } },
        arrivals: { kind: 'trace', startsMs: [0] },
        connection: { requests: 5, multiplexed: false, gap: { kind: 'constant', meanMs: 4 } },
      }),
      random,
    );
    expect(recorder.latency.count).toBe(5);
    expect(recorder.latency.maxMs).toBe(34);
    expect(recorder.latency.meanMs).toBe(22);
  });

  test('multiplexed requests do not wait for each other', () => {
    const recorder = run(
      scenario({
        pods: { serviceTime: { kind: 'constant', meanMs: 10 }, concurrency: 8 },
        arrivals: { kind: 'trace', startsMs: [0] },
        connection: { requests: 5, multiplexed: true, gap: { kind: 'constant', meanMs: 4 } },
      }),
      random,
    );
    expect([recorder.latency.count, recorder.latency.maxMs]).toEqual([5, 10]);
    expect(recorder.totalConnections).toBe(1);
  });

  test('a full queue refuses and the connection goes on', () => {
    const recorder = run(
      scenario({
        pods: { serviceTime: { kind: 'constant', meanMs: 100 }, queueLimit: 0 },
        arrivals: { kind: 'trace', startsMs: [0, 1] },
        connection: { requests: 2, multiplexed: false, gap: { kind: 'constant', meanMs: 150 } },
      }),
      random,
    );
    expect(recorder.failures.overflow).toBe(2);
    expect(recorder.latency.count).toBe(2);
  });
});

describe('backends that go', () => {
  test('a death resets what is open; until it is noticed new connections are unreachable', () => {
    const recorder = run(
      scenario({
        pods: { count: 2, serviceTime: { kind: 'constant', meanMs: 50 }, concurrency: 99 },
        arrivals: { kind: 'constant', ratePerSecond: 1000 },
        durationMs: 300,
        events: [{ kind: 'die', group: 'pod', atMs: 100.5, count: 1, noticedAfterMs: 50 }],
      }),
      algorithmNamed('ipvs-rr'),
    );
    expect(recorder.failures).toMatchObject({ reset: 25, unreachable: 25, refused: 0 });
  });

  test('without any backend the proxy refuses', () => {
    const recorder = run(
      scenario({ pods: { count: 0 }, durationMs: 1000 }),
      algorithmNamed('iptables'),
    );
    expect(recorder.latency.count).toBe(0);
    expect(recorder.failures.refused).toBeGreaterThan(30);
  });

  test('a stopped one ends connections after the answer, and its clients come back elsewhere', () => {
    const recorder = run(
      scenario({
        pods: { count: 3, serviceTime: QUICK, concurrency: 9 },
        arrivals: { kind: 'closed', clients: 30, think: { kind: 'exponential', meanMs: 20 } },
        connection: { requests: Infinity, multiplexed: false },
        durationMs: 5000,
        events: [{ kind: 'roll', group: 'pod', atMs: 1000, intervalMs: 500, graceMs: 100 }],
      }),
      algorithmNamed('ipvs-lc'),
    );
    expect(recorder.failures).toEqual({
      refused: 0,
      unreachable: 0,
      reset: 0,
      overflow: 0,
      unfinished: 0,
    });
    expect(recorder.openConnections.slice(0, 3)).toEqual(Int32Array.of(0, 0, 0));
    expect(recorder.requests.slice(3).every((count) => count > 0)).toBe(true);
  });
});

test('events that overlap start backends out of turn, and each is who it is', () => {
  // The second of the rollout has the number before that of the one that joins meanwhile.
  const recorder = run(
    scenario({
      pods: { count: 2, serviceTime: QUICK, concurrency: 9 },
      arrivals: { kind: 'constant', ratePerSecond: 500 },
      durationMs: 4000,
      events: [
        { kind: 'roll', group: 'pod', atMs: 1000, intervalMs: 1000, graceMs: 0 },
        {
          kind: 'join',
          group: 'pod',
          atMs: 1500,
          count: 1,
          warmUp: { durationMs: 1e9, slowdown: 50 },
        },
      ],
    }),
    algorithmNamed('ipvs-rr'),
  );
  expect(Object.values(recorder.failures).every((count) => count === 0)).toBe(true);
  // It gets a third of the last 1250 of 2000 requests, and they alone take 50 ms.
  expect(recorder.requests[4]).toBeCloseTo(417, -1);
  expect(recorder.latency.meanMs).toBeCloseTo(1 + (49 * 417) / 2000, 0);
});

test('a cold backend is slower until it is warm', () => {
  const recorder = run(
    scenario({
      pods: { count: 0, serviceTime: { kind: 'constant', meanMs: 10 }, concurrency: 99 },
      arrivals: { kind: 'trace', startsMs: [0, 500, 1000, 5000] },
      events: [
        {
          kind: 'join',
          group: 'pod',
          atMs: 0,
          count: 1,
          warmUp: { durationMs: 1000, slowdown: 11 },
        },
      ],
    }),
    random,
  );
  // 110, 60, 10 and 10 ms.
  expect(recorder.latency.meanMs).toBeCloseTo(47.5, 9);
});

describe('affinity keeps a source where it is', () => {
  for (const name of ['iptables', 'nftables', 'userspace', 'ipvs-rr', 'ipvs-lc'])
    test(`in ${name}`, () => {
      const one = scenario({
        affinitySeconds: 600,
        pods: { count: 5, serviceTime: QUICK },
        sources: { addresses: 3, skew: 0 },
        arrivals: { kind: 'poisson', ratePerSecond: 100 },
      });
      const used = run(one, algorithmNamed(name)).requests.filter((count) => count > 0);
      expect(used.length).toBeLessThanOrEqual(3);
    });
});
