import { type BenchResult, METRICS } from './result.ts';

/** One line a repetition, RFC 4180. Times in milliseconds, shares as fractions. */
export function toCsv(result: BenchResult): string {
  const header = [
    'scenario',
    'engine',
    'algorithm',
    'family',
    'seed',
    'connections',
    'requests',
    ...METRICS,
    'chiSquare',
    'degreesOfFreedom',
    'chiSquareP',
  ];
  const rows = result.scenarios.flatMap(({ scenario, engine, algorithms }) =>
    algorithms.flatMap(({ name, family, runs }) =>
      runs.map((run) => [
        scenario.name,
        engine,
        name,
        family,
        run.seed,
        run.connections,
        run.requests,
        ...METRICS.map((metric) => run.metrics[metric]),
        run.fairness.chiSquare,
        run.fairness.degreesOfFreedom,
        run.fairness.pValue,
      ]),
    ),
  );
  return [header, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(value: string | number): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(9)));
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
