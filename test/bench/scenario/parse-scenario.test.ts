import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../../../src/bench/algorithms/registry.ts';
import { planOf } from '../../../src/bench/scenario/plan.ts';
import { parseScenario } from '../../../src/bench/scenario/parse-scenario.ts';
import {
  loadScenario,
  shippedScenarioNames,
} from '../../../src/bench/scenario/shipped-scenarios.ts';

const KNOWN = new Set(ALGORITHMS.map(({ name }) => name));

const GOOD = `
name: good
question: Is it good?
lookFor: goodness
backends:
  - { count: 3, serviceTime: { kind: exponential, meanMs: 10 } }
arrivals: { kind: poisson, ratePerSecond: 100 }
durationMs: 1000
algorithms: [ipvs-rr]
`;

const FILES: Readonly<Record<string, string>> = {
  'day.csv': '# a day, shortened\nstart ms,client\n0,alice\n\n12.5,bob\n40\n',
  'bad.csv': '5\n7\nsix\n',
  'back.csv': '5\n7\n6\n',
  'empty.csv': '# nothing\n',
};
const ORIGIN = {
  where: 'test.yaml',
  readBeside(path: string): string {
    const text = FILES[path];
    if (text === undefined) throw new Error(`cannot read ${path}`);
    return text;
  },
};

function complaint(text: string): string {
  try {
    parseScenario(text, KNOWN, ORIGIN);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}

test('what is left out has defaults', () => {
  const scenario = parseScenario(GOOD, KNOWN, ORIGIN);
  expect(scenario).toMatchObject({
    nodes: 1,
    entry: 'source',
    protocol: 'HTTP',
    seeds: 5,
    connection: { requests: 1, multiplexed: false },
    sources: { addresses: 1000, skew: 0 },
    live: { algorithms: ['ipvs-rr'] },
  });
  expect(scenario.backends[0]).toMatchObject({ name: 'pod', weight: 1, queueLimit: Infinity });
});

describe('complaints name the field and what it may be', () => {
  const cases: [string, string, string][] = [
    ['a missing field', GOOD.replace('durationMs: 1000', ''), 'durationMs: is required'],
    [
      'a misspelt field',
      GOOD.replace('durationMs', 'duration'),
      'duration: unknown field; known here: affinitySeconds',
    ],
    [
      'a number out of range',
      GOOD.replace('meanMs: 10', 'meanMs: 0'),
      'backends[0].serviceTime.meanMs: must be above 0',
    ],
    [
      'a word for a number',
      GOOD.replace('ratePerSecond: 100', 'ratePerSecond: many'),
      'arrivals.ratePerSecond: must be a number',
    ],
    [
      'an unknown kind',
      GOOD.replace('kind: poisson', 'kind: sometimes'),
      'arrivals.kind: must be one of poisson, constant, bursty, trace, closed',
    ],
    [
      'an unknown algorithm',
      GOOD.replace('ipvs-rr', 'magic'),
      'algorithms[0]: no algorithm magic; see podwire bench list',
    ],
    [
      'an algorithm named twice',
      GOOD.replace('[ipvs-rr]', '[ipvs-rr, ipvs-lc, ipvs-rr]'),
      'algorithms[2]: ipvs-rr is there already',
    ],
    [
      'a name that could not name a file',
      GOOD.replace('name: good', 'name: ../good'),
      'name: must be at most 63 lower-case letters, digits and hyphens',
    ],
    [
      'two groups of one name',
      GOOD.replace(
        'backends:',
        'backends:\n  - { count: 1, serviceTime: { kind: constant, meanMs: 1 } }',
      ),
      'backends[1].name: there is another group pod',
    ],
    [
      'an event for nobody',
      `${GOOD}events: [{ kind: die, group: web, atMs: 5 }]`,
      'events[0].group: no group web; there are pod',
    ],
    [
      'pods that do not add up',
      GOOD.replace('count: 3,', 'count: 3, perNode: [2],'),
      'backends[0].perNode: must add up to count, 3',
    ],
    [
      'multiplexing without a pace',
      `${GOOD}connection: { requests: 5, multiplexed: true }`,
      'connection.gap: is required for multiplexed connections',
    ],
    [
      'a trace that goes back',
      GOOD.replace('{ kind: poisson, ratePerSecond: 100 }', '{ kind: trace, startsMs: [5, 3] }'),
      'arrivals.startsMs[1]: is before the one before it',
    ],
    ['no mapping', '[]', 'document: must be a mapping'],
    ['no YAML', 'name: [', 'test.yaml: '],
  ];
  for (const [name, text, expected] of cases)
    test(`of ${name}`, () => expect(complaint(text)).toContain(expected));

  test('all of them at once', () => {
    const message = complaint('name: x\nquestion: y\nlookFor: z');
    for (const field of ['backends', 'arrivals', 'durationMs', 'algorithms'])
      expect(message).toContain(`  ${field}`);
  });
});

describe('scenarios that ship', () => {
  const names = shippedScenarioNames();

  test('are a dozen at least, and named like their files', () => {
    expect(names.length).toBeGreaterThanOrEqual(12);
    for (const name of names) expect(loadScenario(name, KNOWN).name).toBe(name);
  });

  test('are questions, and can be laid out', () => {
    for (const name of names) {
      const scenario = loadScenario(name, KNOWN);
      expect(scenario.question).toMatch(/\?$/);
      expect(planOf(scenario).backends.length).toBeGreaterThan(0);
    }
  });

  test('an unknown one is told from a file that cannot be read', () => {
    expect(() => loadScenario('nope', KNOWN)).toThrow('no scenario nope; podwire bench list');
    expect(() => loadScenario('./nope.yaml', KNOWN)).toThrow('cannot read ./nope.yaml');
  });
});

describe('a trace in a file beside the scenario', () => {
  const traced = (arrivals: string): string =>
    GOOD.replace('{ kind: poisson, ratePerSecond: 100 }', `{ kind: trace, ${arrivals} }`);

  test('has a start a line, in the first column', () => {
    const { arrivals } = parseScenario(traced('file: day.csv, periodMs: 50'), KNOWN, ORIGIN);
    expect(arrivals).toEqual({ kind: 'trace', startsMs: [0, 12.5, 40], periodMs: 50 });
  });

  test.each([
    ['file: none.csv', 'arrivals.file: cannot read none.csv'],
    ['file: bad.csv', 'arrivals.file: line 3: six is no time in milliseconds'],
    ['file: back.csv', 'arrivals.file: line 3: 6 is before the one before it'],
    ['file: empty.csv', 'arrivals.file: holds no start'],
    ['file: day.csv, startsMs: [1]', 'arrivals.startsMs: the trace is in the file'],
    ['startsMs: []', 'arrivals.startsMs: must hold at least one start, or give a file'],
  ])('%s is refused', (arrivals, message) => {
    expect(complaint(traced(arrivals))).toContain(message);
  });
});
