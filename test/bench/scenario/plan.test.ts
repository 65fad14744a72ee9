import { describe, expect, test } from 'vitest';
import { type PlannedAction, planOf } from '../../../src/bench/scenario/plan.ts';
import type { ScenarioEvent } from '../../../src/bench/scenario/scenario.ts';
import { scenario } from '../support.ts';

/** Actions after the start as words: `20 withdraw 0`. */
function laterActions(events: ScenarioEvent[], count = 2): string[] {
  const { actions } = planOf(scenario({ pods: { count }, events }));
  return actions.filter(({ atMs }) => atMs > 0).map(describeAction);
}

function describeAction(action: PlannedAction): string {
  const weight = action.kind === 'weight' ? ` ${action.weight}` : '';
  return `${action.atMs} ${action.kind} ${action.backend}${weight}`;
}

test('everything starts and is announced at 0', () => {
  const { actions } = planOf(scenario({ pods: { count: 2 } }));
  expect(actions.map(describeAction)).toEqual([
    '0 start 0',
    '0 announce 0',
    '0 start 1',
    '0 announce 1',
  ]);
});

describe('events', () => {
  test('a death is noticed later', () => {
    expect(
      laterActions([{ kind: 'die', group: 'pod', atMs: 10, count: 1, noticedAfterMs: 5 }]),
    ).toEqual(['10 kill 0', '15 withdraw 0']);
  });

  test('a rolling update starts a new one before it takes an old one out', () => {
    expect(
      laterActions([{ kind: 'roll', group: 'pod', atMs: 10, intervalMs: 100, graceMs: 30 }]),
    ).toEqual([
      '10 start 2',
      '10 announce 2',
      '10 withdraw 0',
      '40 stop 0',
      '110 start 3',
      '110 announce 3',
      '110 withdraw 1',
      '140 stop 1',
    ]);
  });

  test('later events know who is left, whatever their order in the file', () => {
    expect(
      laterActions([
        { kind: 'weight', group: 'pod', atMs: 30, weight: 7 },
        { kind: 'join', group: 'pod', atMs: 20, count: 1 },
        { kind: 'die', group: 'pod', atMs: 10, count: 1, noticedAfterMs: 0 },
      ]),
    ).toEqual([
      '10 kill 0',
      '10 withdraw 0',
      '20 start 2',
      '20 announce 2',
      '30 weight 1 7',
      '30 weight 2 7',
    ]);
  });
});

test('pods are spread over nodes, or as the scenario says', () => {
  const nodes = (perNode?: number[]): number[] =>
    planOf(
      scenario({ nodes: 3, pods: { count: 5, ...(perNode === undefined ? {} : { perNode }) } }),
    ).backends.map(({ node }) => node);
  expect(nodes()).toEqual([0, 1, 2, 0, 1]);
  expect(nodes([3, 0, 2])).toEqual([0, 0, 0, 2, 2]);
});
