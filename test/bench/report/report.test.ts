import { beforeAll, describe, expect, test } from 'vitest';
import { compareResults, parseResult } from '../../../src/bench/report/compare.ts';
import type { BenchResult, ScenarioResult } from '../../../src/bench/report/result.ts';
import { verdicts, warnings } from '../../../src/bench/report/verdict.ts';
import { reportFiles } from '../../../src/bench/report/write-report.ts';
import { simulateScenarios } from '../../../src/bench/run/run-bench.ts';

const FILES = [
  'report.html',
  'results.json',
  'results.csv',
  'report.txt',
  'validation-sim-latency.svg',
  'validation-sim-p99.svg',
];

function bench(seed: string, scenarios: readonly string[] = ['validation']): Promise<BenchResult> {
  return simulateScenarios({
    scenarios,
    algorithms: ['iptables', 'ipvs-lc', 'jsq'],
    seed,
    seeds: 3,
    version: '1.2.3',
    onProgress: () => {},
  });
}

let result: BenchResult;
let files: ReadonlyMap<string, string>;

beforeAll(async () => {
  result = await bench('1');
  files = reportFiles(result);
});

function file(name: string): string {
  const text = files.get(name);
  if (text === undefined) throw new Error(`no file ${name}`);
  return text;
}

test('the same seed gives the same bytes, another seed others', async () => {
  expect([...files.keys()]).toEqual(FILES);
  expect(reportFiles(await bench('1'))).toEqual(files);
  expect(reportFiles(await bench('2')).get('results.csv')).not.toBe(file('results.csv'));
});

describe('report.html', () => {
  test('needs nothing from outside', () => {
    const html = file('report.html').replaceAll('http://www.w3.org/2000/svg', '');
    expect(html).not.toMatch(/(?:src|href)="(?!data:,)/);
    expect(html).not.toMatch(/https?:|@import|url\(/);
  });

  test('every plot tells its unit, n, seed and version', () => {
    const html = file('report.html');
    const captions = [...html.matchAll(/<figcaption>([^]*?)<\/figcaption>/g)].map((one) => one[1]);
    expect(captions.length).toBeGreaterThanOrEqual(3);
    for (const caption of captions)
      expect(caption).toMatch(/n = [\d,]+ requests .* · podwire 1\.2\.3 · seed 1 · /);
    expect(html).toContain('latency (ms)');
    expect(html).toContain('time (s)');
  });

  test('has its styles: layout, a dark theme and one for paper', () => {
    const html = file('report.html');
    expect(html).toMatch(/body\{[^}]*max-width/);
    expect(html).toMatch(/@media \(prefers-color-scheme:dark\)\{:root\{--paper:#15181b/);
    expect(html).toMatch(/@media print\{:root\{--paper:#fff/);
    expect(html).toContain('.row{display:grid');
  });

  test('is well-formed where it is SVG: every element closed, numbers finite', () => {
    for (const name of FILES.filter((one) => one.endsWith('.svg'))) {
      const text = file(name);
      expect(text).not.toMatch(/NaN|Infinity|undefined/);
      const opened = text.match(/<[a-z]+[^>]*[^/]>/g)?.length ?? 0;
      expect(text.match(/<\/[a-z]+>/g)).toHaveLength(opened);
    }
  });

  test('an overview appears with several scenarios', async () => {
    const several = reportFiles(await bench('1', ['validation', 'nat-clients']));
    expect(several.get('overview-p99.svg')).toContain('nat-clients, jsq');
  });
});

test('results.csv has one line a repetition', () => {
  const lines = file('results.csv').trimEnd().split('\r\n');
  expect(lines[0]).toMatch(/^scenario,engine,algorithm,family,seed,connections,requests,meanMs,/);
  expect(lines).toHaveLength(1 + 3 * 3);
});

describe('verdicts', () => {
  test('name the best and the range of the others, and leave references to be the bound', () => {
    const [scenario] = result.scenarios;
    if (scenario === undefined) throw new Error('no scenario');
    const [imbalance] = verdicts(scenario);
    expect(imbalance).toMatch(/^ipvs-lc has the lowest imbalance of open connections .*, 1\.\d+; /);
    expect(imbalance).toMatch(
      /the other has \d\.\d+ with iptables\. With global knowledge \(jsq\)/,
    );
  });

  /** Algorithms with these p99 in their repetitions, and all else alike. */
  function withP99(values: Readonly<Record<string, readonly number[]>>): ScenarioResult {
    const [scenario] = result.scenarios;
    const [like] = scenario?.algorithms ?? [];
    const [run] = like?.runs ?? [];
    if (scenario === undefined || like === undefined || run === undefined)
      throw new Error('no result');
    const algorithms = Object.entries(values).map(([name, p99s]) => ({
      ...like,
      name,
      runs: p99s.map((p99Ms) => ({
        ...run,
        metrics: { ...run.metrics, p99Ms, connectionSpread: 1, failedShare: 0 },
      })),
    }));
    return { ...scenario, algorithms };
  }

  test('say of whom nothing can be said', () => {
    const scenario = withP99({
      a: [10, 10.1, 10.2],
      b: [10.1, 10.2, 10.3],
      c: [20, 20.1, 20.2],
      wild: [5, 30, 80],
    });
    expect(verdicts(scenario)).toEqual([
      'a and b have a lower 99th percentile of latency, 10.1 ms to 10.2 ms, than c with 20.1 ms; wild varies too much between repetitions to be told apart from the first.',
    ]);
  });

  test('name no winner where nothing separates', () => {
    expect(verdicts(withP99({ a: [10, 20, 30], b: [11, 21, 31] }))).toEqual([]);
  });

  test('nothing is said of a single repetition', () => {
    const [scenario] = result.scenarios;
    if (scenario === undefined) throw new Error('no scenario');
    const algorithms = scenario.algorithms.map((one) => ({ ...one, runs: one.runs.slice(0, 1) }));
    expect(verdicts({ ...scenario, algorithms })).toEqual([]);
  });
});

test('a machine that was busy is told of, and what was run again', () => {
  const [scenario] = result.scenarios;
  if (scenario === undefined) throw new Error('no scenario');
  expect(warnings(scenario)).toEqual([]);
  const [first, ...others] = scenario.algorithms.map((one) => ({ ...one, redone: 1 }));
  if (first === undefined) throw new Error('no algorithm');
  const again = '3 repetitions were run again, since the machine had other things to do.';
  expect(warnings({ ...scenario, algorithms: [first, ...others] })).toEqual([again]);
  const runs = first.runs.map((run, index) => ({
    ...run,
    slip: index === 0 ? { meanMs: 12, p99Ms: 30 } : { meanMs: 1, p99Ms: 2 },
  }));
  const late = { ...scenario, algorithms: [{ ...first, runs }, ...others] };
  expect(warnings(late)).toEqual([
    again,
    'The machine was busy: what was due came up to 12.0 ms late on average, one time in a hundred 30.0 ms or more, which counts as latency. Doubt iptables.',
  ]);
});

describe('comparing', () => {
  test('a result with itself has no change', () => {
    const again = parseResult(file('results.json'), 'results.json');
    expect(compareResults(again, result)).toBe(
      'Nothing changed beyond the confidence intervals.\n',
    );
  });

  test('tells what separates, and whether that is better', () => {
    const slower = structuredClone(result) as unknown as {
      scenarios: { algorithms: { runs: { metrics: { p99Ms: number } }[] }[] }[];
    };
    for (const run of slower.scenarios[0]?.algorithms[1]?.runs ?? []) run.metrics.p99Ms *= 10;
    const text = compareResults(result, slower as unknown as BenchResult);
    expect(text).toMatch(/validation ipvs-lc +p99 ms .* \+900\.0 % +worse/);
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  test('says so when nothing can be compared, or nothing said', () => {
    const [scenario] = result.scenarios;
    if (scenario === undefined) throw new Error('no scenario');
    const live: BenchResult = { ...result, scenarios: [{ ...scenario, engine: 'live' }] };
    expect(compareResults(result, live)).toMatch(/^Nothing can be compared/);
    const algorithms = scenario.algorithms.map((one) => ({ ...one, runs: one.runs.slice(0, 1) }));
    const once: BenchResult = { ...result, scenarios: [{ ...scenario, algorithms }] };
    expect(compareResults(result, once)).toMatch(/^Nothing can be said/);
  });

  test('other files are refused', () => {
    expect(() => parseResult('{"format":"x"}', 'a.json')).toThrow(
      'a.json is not a result of this podwire bench: format: must be one of podwire.io/bench/v1',
    );
    const broken = file('results.json').replace('"p99Ms"', '"p98Ms"');
    expect(() => parseResult(broken, 'a.json')).toThrow(
      'scenarios[0].algorithms[0].runs[0].metrics.p99Ms: is required',
    );
    expect(() => parseResult('nonsense', 'a.json')).toThrow('a.json is not JSON');
  });
});
