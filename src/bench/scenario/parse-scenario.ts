import { parseDocument } from 'yaml';
import { PodwireError } from '../../base/errors.ts';
import { Fields, type Problem } from './fields.ts';
import { readArrivals } from './parse-arrivals.ts';
import { DURATION, MAX_SOURCES, MOMENT, readDistribution } from './parse-parts.ts';
import type { BackendGroup, ConnectionShape, Scenario, ScenarioEvent, WarmUp } from './scenario.ts';

/** Bounds of what one run may hold; beyond them a mistake is likelier than an intention. */
const MAX_BACKENDS = 10_000;
const MAX_NODES = 1000;

/** Where a scenario comes from. */
export interface ScenarioOrigin {
  /** Names the file in errors. */
  readonly where: string;
  /** Text of another file, its path relative to the scenario's. Throws when it cannot be read. */
  readonly readBeside: (path: string) => string;
}

/**
 * Reads a scenario file. Throws PodwireError `ERR_SCENARIO` that names every problem with its field.
 * `known` are the algorithms there are.
 */
export function parseScenario(
  text: string,
  known: ReadonlySet<string>,
  { where, readBeside }: ScenarioOrigin,
): Scenario {
  const document = parseDocument(text);
  const [syntax] = document.errors;
  if (syntax !== undefined) throw new PodwireError('ERR_SCENARIO', `${where}: ${syntax.message}`);
  const problems: Problem[] = [];
  const scenario = readScenario(new Fields(document.toJS(), '', problems), known, readBeside);
  if (problems.length === 0) return scenario;
  const lines = problems.map(({ path, message }) => `  ${path}: ${message}`);
  throw new PodwireError('ERR_SCENARIO', [`${where} is not a scenario:`, ...lines].join('\n'));
}

function readScenario(
  root: Fields,
  known: ReadonlySet<string>,
  readBeside: ScenarioOrigin['readBeside'],
): Scenario {
  const nodes = root.number('nodes', { or: 1, min: 1, max: MAX_NODES, integer: true });
  const backends = root.objects('backends').map((fields) => readGroup(fields, nodes));
  const groups = checkGroups(root, backends);
  const durationMs = root.number('durationMs', DURATION);
  const algorithms = readAlgorithms(root, known);
  const affinity = root.has('affinitySeconds')
    ? { affinitySeconds: root.number('affinitySeconds', { min: 1, max: 86_400, integer: true }) }
    : {};
  const scenario: Scenario = {
    name: root.label('name'),
    question: root.text('question'),
    lookFor: root.text('lookFor'),
    protocol: root.oneOf('protocol', ['TCP', 'UDP', 'HTTP'], 'HTTP'),
    nodes,
    entry: root.oneOf('entry', ['source', 'spread'], 'source'),
    externalTrafficPolicy: root.oneOf('externalTrafficPolicy', ['Cluster', 'Local'], 'Cluster'),
    ...affinity,
    backends,
    sources: readSources(root.optionalObject('sources')),
    arrivals: readArrivals(root.object('arrivals'), readBeside),
    connection: readConnection(root.optionalObject('connection')),
    durationMs,
    warmUpMs: root.number('warmUpMs', { or: 0, min: 0, max: durationMs }),
    events: root.objects('events').map((fields) => readEvent(fields, groups)),
    algorithms,
    seeds: root.number('seeds', { or: 5, min: 1, max: 1000, integer: true }),
    live: readLive(root.optionalObject('live'), algorithms, known),
  };
  root.noMore();
  return scenario;
}

function checkGroups(root: Fields, backends: readonly BackendGroup[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [index, { name }] of backends.entries()) {
    if (names.has(name)) root.problem(`backends[${index}].name`, `there is another group ${name}`);
    names.add(name);
  }
  const total = backends.reduce((sum, { count }) => sum + count, 0);
  if (backends.length === 0) root.problem('backends', 'must hold at least one group');
  if (total > MAX_BACKENDS)
    root.problem('backends', `${total} pods; at most ${MAX_BACKENDS} are supported`);
  return names;
}

function readGroup(fields: Fields, nodes: number): BackendGroup {
  const count = fields.number('count', { or: 1, min: 0, max: MAX_BACKENDS, integer: true });
  const perNode = fields.numbers('perNode', { min: 0, integer: true });
  if (perNode.length > 0 && perNode.length !== nodes)
    fields.problem('perNode', `must hold one number for each of the ${nodes} nodes`);
  if (perNode.length > 0 && perNode.reduce((sum, pods) => sum + pods, 0) !== count)
    fields.problem('perNode', `must add up to count, ${count}`);
  const group: BackendGroup = {
    name: fields.label('name', 'pod'),
    count,
    weight: fields.number('weight', { or: 1, min: 0, max: 65_535, integer: true }),
    serviceTime: readDistribution(fields.object('serviceTime')),
    concurrency: fields.number('concurrency', {
      or: 1,
      min: 1,
      max: 100_000,
      integer: true,
      unlimited: true,
    }),
    queueLimit: fields.number('queueLimit', {
      or: Infinity,
      min: 0,
      integer: true,
      unlimited: true,
    }),
    ...(perNode.length > 0 ? { perNode } : {}),
  };
  fields.noMore();
  return group;
}

function readSources(fields: Fields | undefined): Scenario['sources'] {
  if (fields === undefined) return { addresses: 1000, skew: 0 };
  const sources = {
    addresses: fields.number('addresses', { or: 1000, min: 1, max: MAX_SOURCES, integer: true }),
    skew: fields.number('skew', { or: 0, min: 0, max: 5 }),
  };
  fields.noMore();
  return sources;
}

function readConnection(fields: Fields | undefined): ConnectionShape {
  if (fields === undefined) return { requests: 1, multiplexed: false };
  const gap = fields.optionalObject('gap');
  const shape = {
    requests: fields.number('requests', { or: 1, min: 1, integer: true, unlimited: true }),
    multiplexed: fields.flag('multiplexed', false),
    ...(gap === undefined ? {} : { gap: readDistribution(gap) }),
  };
  if (shape.multiplexed && gap === undefined)
    fields.problem('gap', 'is required for multiplexed connections: nothing else paces them');
  fields.noMore();
  return shape;
}

function readEvent(fields: Fields, groups: ReadonlySet<string>): ScenarioEvent {
  const kind = fields.oneOf('kind', ['die', 'join', 'weight', 'roll']);
  const group = fields.text('group', 'pod');
  if (!groups.has(group))
    fields.problem('group', `no group ${group}; there are ${[...groups].join(', ')}`);
  const event = eventOf(kind, fields, { atMs: fields.number('atMs', MOMENT), group });
  fields.noMore();
  return event;
}

function eventOf(
  kind: ScenarioEvent['kind'],
  fields: Fields,
  common: { readonly atMs: number; readonly group: string },
): ScenarioEvent {
  const count = (): number => fields.number('count', { or: 1, min: 1, max: 1000, integer: true });
  switch (kind) {
    case 'die':
      return {
        kind,
        ...common,
        count: count(),
        noticedAfterMs: fields.number('noticedAfterMs', { or: 1000, ...MOMENT }),
      };
    case 'join':
      return { kind, ...common, count: count(), ...readWarmUp(fields) };
    case 'weight':
      return {
        kind,
        ...common,
        weight: fields.number('weight', { min: 0, max: 65_535, integer: true }),
      };
    case 'roll':
      return {
        kind,
        ...common,
        intervalMs: fields.number('intervalMs', DURATION),
        graceMs: fields.number('graceMs', MOMENT),
        ...readWarmUp(fields),
      };
  }
}

function readWarmUp(fields: Fields): { warmUp?: WarmUp } {
  const inner = fields.optionalObject('warmUp');
  if (inner === undefined) return {};
  const warmUp = {
    durationMs: inner.number('durationMs', DURATION),
    slowdown: inner.number('slowdown', { min: 1, max: 1000 }),
  };
  inner.noMore();
  return { warmUp };
}

const LIVE_DURATION_MS = 4000;
const LIVE_WARM_UP_MS = 500;

function readLive(
  fields: Fields | undefined,
  algorithms: readonly string[],
  known: ReadonlySet<string>,
): Scenario['live'] {
  if (fields === undefined)
    return { durationMs: LIVE_DURATION_MS, warmUpMs: LIVE_WARM_UP_MS, algorithms, seeds: 1 };
  const named = fields.has('algorithms') ? readAlgorithms(fields, known) : algorithms;
  const durationMs = fields.number('durationMs', { or: LIVE_DURATION_MS, ...DURATION });
  const warmUpMs = fields.number('warmUpMs', { or: LIVE_WARM_UP_MS, min: 0, max: durationMs });
  const seeds = fields.number('seeds', { or: 1, min: 1, max: 1000, integer: true });
  fields.noMore();
  return { durationMs, warmUpMs, algorithms: named, seeds };
}

function readAlgorithms(fields: Fields, known: ReadonlySet<string>): string[] {
  const names = fields.texts('algorithms');
  if (names.length === 0) fields.problem('algorithms', 'must name at least one');
  for (const [index, name] of names.entries())
    if (!known.has(name))
      fields.problem(`algorithms[${index}]`, `no algorithm ${name}; see podwire bench list`);
    else if (names.indexOf(name) < index)
      fields.problem(`algorithms[${index}]`, `${name} is there already`);
  return names;
}
