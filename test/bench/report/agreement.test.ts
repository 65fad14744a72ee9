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

type Scaled = Readonly<Partial<Record<'p50Ms' | 'p99Ms', number>>> & { readonly moved?: number };

/** The simulated result, and as its live one itself with percentiles times so much and requests moved. */
function withLive({ moved = 0, ...factors }: Scaled): BenchResult {
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
          runs: algorithm.runs.map((run) => ({
            ...run,
            metrics: {
              ...run.metrics,
              p50Ms: run.metrics.p50Ms * (factors.p50Ms ?? 1),
              p99Ms: run.metrics.p99Ms * (factors.p99Ms ?? 1),
            },
          })),
        };
      }),
    }),
  );
  return { ...simulated, scenarios: [...live, ...simulated.scenarios] };
}

test.each<[string, Scaled, boolean]>([
  ['what is the same agrees', {}, true],
  ['a median 14 % higher agrees', { p50Ms: 1.14 }, true],
  ['16 % higher does not', { p50Ms: 1.16 }, false],
  ['nor 16 % lower', { p50Ms: 0.84 }, false],
  ['a p99 24 % higher agrees', { p99Ms: 1.24 }, true],
  ['26 % higher does not', { p99Ms: 1.26 }, false],
  ['a pod with 1.9 % of the requests more agrees', { moved: 0.019 }, true],
  ['with 2.1 % more it does not', { moved: 0.021 }, false],
])('%s', (_, scaled, holds) => {
  const [agreement] = agreements(withLive(scaled));
  expect(agreement?.rows.map((row) => row.holds)).toEqual([holds]);
  expect(agreement === undefined ? '' : agreementText(agreement)).toMatch(
    new RegExp(`^ipvs-rr .* ${holds ? 'yes' : 'no'}$`, 'm'),
  );
});

test('one engine alone agrees with nobody', () => {
  expect(agreements(simulated)).toEqual([]);
});
