import type { BackendGroup, Scenario, ScenarioEvent, WarmUp } from './scenario.ts';

/** One pod of a run, from before its start until after its end. */
export interface PlannedBackend {
  /** Position in {@link Plan.backends}; how every engine and algorithm calls it. */
  readonly index: number;
  readonly name: string;
  readonly group: BackendGroup;
  readonly node: number;
  readonly weight: number;
  readonly warmUp?: WarmUp;
}

/** A change at one moment. Engines carry them out in order. */
export type PlannedAction =
  /** The process runs and accepts. */
  | { readonly kind: 'start'; readonly atMs: number; readonly backend: number }
  /** The proxies learn that it is ready. */
  | { readonly kind: 'announce'; readonly atMs: number; readonly backend: number }
  /** The proxies learn that it is not to get new connections: terminating or gone. */
  | { readonly kind: 'withdraw'; readonly atMs: number; readonly backend: number }
  /** It closes its connections as soon as they are idle, and ends. */
  | { readonly kind: 'stop'; readonly atMs: number; readonly backend: number }
  /** It is gone: every connection is reset. */
  | { readonly kind: 'kill'; readonly atMs: number; readonly backend: number }
  | {
      readonly kind: 'weight';
      readonly atMs: number;
      readonly backend: number;
      readonly weight: number;
    };

/** A scenario laid out in time: what both engines carry out. */
export interface Plan {
  readonly scenario: Scenario;
  /** Every backend that will ever exist, in order of start. */
  readonly backends: readonly PlannedBackend[];
  /** Ascending in time; those at 0 are the initial state. */
  readonly actions: readonly PlannedAction[];
}

interface Builder {
  readonly scenario: Scenario;
  readonly backends: PlannedBackend[];
  readonly actions: PlannedAction[];
  /** Backends of each group that are not leaving, oldest first. */
  readonly running: Map<string, number[]>;
}

/** Lays a scenario out. The scenario was validated: groups that events name exist. */
export function planOf(scenario: Scenario): Plan {
  const builder: Builder = { scenario, backends: [], actions: [], running: new Map() };
  for (const group of scenario.backends)
    for (let count = 0; count < group.count; count += 1)
      start(builder, group, 0, nodeOf(builder, group, count));
  for (const event of scenario.events.toSorted((a, b) => a.atMs - b.atMs)) carryOut(builder, event);
  // A stable sort keeps the order of actions of one moment.
  const actions = builder.actions.toSorted((a, b) => a.atMs - b.atMs);
  return { scenario, backends: builder.backends, actions };
}

function carryOut(builder: Builder, event: ScenarioEvent): void {
  const group = groupNamed(builder.scenario, event.group);
  switch (event.kind) {
    case 'die':
      for (const backend of oldest(builder, event.group, event.count)) {
        builder.actions.push({ kind: 'kill', atMs: event.atMs, backend });
        const noticedAtMs = event.atMs + event.noticedAfterMs;
        builder.actions.push({ kind: 'withdraw', atMs: noticedAtMs, backend });
      }
      return;
    case 'join':
      for (let count = 0; count < event.count; count += 1)
        start(
          builder,
          group,
          event.atMs,
          builder.backends.length % builder.scenario.nodes,
          event.warmUp,
        );
      return;
    case 'weight':
      for (const backend of builder.running.get(event.group) ?? [])
        builder.actions.push({ kind: 'weight', atMs: event.atMs, backend, weight: event.weight });
      return;
    case 'roll':
      roll(builder, group, event);
  }
}

function roll(
  builder: Builder,
  group: BackendGroup,
  event: Extract<ScenarioEvent, { kind: 'roll' }>,
): void {
  const count = builder.running.get(group.name)?.length ?? 0;
  for (const [step, backend] of oldest(builder, group.name, count).entries()) {
    const atMs = event.atMs + step * event.intervalMs;
    start(builder, group, atMs, builder.backends[backend]?.node ?? 0, event.warmUp);
    builder.actions.push({ kind: 'withdraw', atMs, backend });
    builder.actions.push({ kind: 'stop', atMs: atMs + event.graceMs, backend });
  }
}

function start(
  builder: Builder,
  group: BackendGroup,
  atMs: number,
  node: number,
  warmUp?: WarmUp,
): void {
  const running = builder.running.get(group.name) ?? [];
  const index = builder.backends.length;
  const name = group.count === 1 && running.length === 0 ? group.name : `${group.name}-${index}`;
  const cold = warmUp === undefined ? {} : { warmUp };
  builder.backends.push({ index, name, group, node, weight: group.weight, ...cold });
  builder.running.set(group.name, [...running, index]);
  builder.actions.push({ kind: 'start', atMs, backend: index });
  builder.actions.push({ kind: 'announce', atMs, backend: index });
}

/** Takes the `count` oldest of a group out of the running. */
function oldest(builder: Builder, group: string, count: number): number[] {
  const running = builder.running.get(group) ?? [];
  builder.running.set(group, running.slice(count));
  return running.slice(0, count);
}

function nodeOf(builder: Builder, group: BackendGroup, position: number): number {
  if (group.perNode === undefined) return builder.backends.length % builder.scenario.nodes;
  let upTo = 0;
  return group.perNode.findIndex((count) => position < (upTo += count));
}

function groupNamed(scenario: Scenario, name: string): BackendGroup {
  const group = scenario.backends.find((candidate) => candidate.name === name);
  if (group === undefined) throw new Error(`no backend group ${name}`);
  return group;
}
