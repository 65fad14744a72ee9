import { expect, test } from 'vitest';
import { agreements, agreementText } from '../../../src/bench/report/agreement.ts';
import type { BenchResult, ScenarioResult } from '../../../src/bench/report/result.ts';
import { simulateScenarios } from '../../../src/bench/run/run-bench.ts';

const simulated = await simulateScenarios({
  scenarios: ['validation'],
  algorithms: ['ipvs-rr'],
  seed: '1',
  seeds: 3,
  version: '1.2.3',
  onProgress: () => {},
});

type Scaled = Readonly<Partial<Record<'p50Ms' | 'p99Ms', number>>> & {
  readonly moved?: number;
  /** So many of the three were disturbed, and off by far. */
  readonly disturbed?: number;
};

/** The simulated result, and as its live one itself with percentiles times so much and requests moved. */
function withLive({ moved = 0, disturbed = 0, ...factors }: Scaled): BenchResult {
  const live = simulated.scenarios.map(
    (scenario): ScenarioResult => ({
      ...scenario,
      engine: 'live',
      algorithms: scenario.algorithms.map((algorithm) => {
        const total = algorithm.backends.reduce((sum, { requests }) => sum + requests, 0);
        return {
          ...algorithm,
          backends: algorithm.backends.map((backend, index) => ({
            ...backend,
            requests: backend.requests + ([moved, -moved][index] ?? 0) * total,
          })),
          runs: algorithm.runs.map((run, index) => ({
            ...run,
            slip: { meanMs: index < disturbed ? 50 : 1, p99Ms: 10 },
            metrics: {
              ...run.metrics,
              p50Ms: run.metrics.p50Ms * (index < disturbed ? 3 : (factors.p50Ms ?? 1)),
              p99Ms: run.metrics.p99Ms * (factors.p99Ms ?? 1),
            },
          })),
        };
      }),
    }),
  );
  return { ...simulated, scenarios: [...live, ...simulated.scenarios] };
}

test.each<[string, Scaled, 'yes' | 'no' | 'machine too busy']>([
  ['what is the same agrees', {}, 'yes'],
  ['a median 9 % higher agrees', { p50Ms: 1.09 }, 'yes'],
  ['11 % higher does not', { p50Ms: 1.11 }, 'no'],
  ['nor 11 % lower', { p50Ms: 0.89 }, 'no'],
  ['a disturbed repetition does not count', { disturbed: 1 }, 'yes'],
  ['nor does it excuse the others', { disturbed: 1, p50Ms: 1.11 }, 'no'],
  ['of two nothing can be said', { disturbed: 2 }, 'machine too busy'],
  ['a p99 24 % higher agrees', { p99Ms: 1.24 }, 'yes'],
  ['26 % higher does not', { p99Ms: 1.26 }, 'no'],
  ['a pod with 1.9 % of the requests more agrees', { moved: 0.019 }, 'yes'],
  ['with 2.1 % more it does not', { moved: 0.021 }, 'no'],
])('%s', (_, scaled, holds) => {
  const [agreement] = agreements(withLive(scaled));
  expect(agreement === undefined ? '' : agreementText(agreement)).toMatch(
    new RegExp(`^ipvs-rr .* ${holds}$`, 'm'),
  );
});

test('one engine alone agrees with nobody', () => {
  expect(agreements(simulated)).toEqual([]);
});
