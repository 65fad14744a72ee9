import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node } from '../../../src/api/types/core.ts';
import type { EndpointSlice, SliceEndpoint } from '../../../src/api/types/discovery.ts';
import type { SlicePlan } from '../../../src/controlplane/controllers/slice-packing.ts';
import { allocateHints } from '../../../src/controlplane/controllers/topology-hints.ts';
import { testNode } from '../support.ts';

/** A ready node; `zone=8` gives it 8 CPUs. */
function node(zone: string, cpu: number, more: Record<string, string> = {}): Node {
  const made = testNode(`${zone}-${cpu}`);
  return {
    ...made,
    metadata: {
      ...made.metadata,
      labels: { ...(zone === '' ? {} : { 'topology.kubernetes.io/zone': zone }), ...more },
    },
    status: {
      allocatable: { cpu: String(cpu) },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

/** One endpoint a letter, in the zone of that name; capitals are not ready, `-` has no zone. */
function slice(zones: string, hints = ''): EndpointSlice {
  const endpoints = zones.split('').map((zone, index): SliceEndpoint => {
    const hint = hints[index];
    return {
      addresses: [`192.0.2.${index}`],
      conditions: { ready: zone === zone.toLowerCase() },
      ...(zone === '-' ? {} : { zone: zone.toLowerCase() }),
      ...(hint === undefined ? {} : { hints: { forZones: [{ name: hint }] } }),
    };
  });
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `web-${zones}` },
    addressType: 'IPv4',
    endpoints,
  };
}

function plan(lists: Partial<SlicePlan>): SlicePlan {
  return { create: [], update: [], unchanged: [], delete: [], ...lists };
}

/** The zones that a slice's endpoints are hinted at; `.` for none. */
function hintsOf(of: EndpointSlice | undefined): string {
  return (of?.endpoints ?? []).map(({ hints }) => hints?.forZones?.[0]?.name ?? '.').join('');
}

describe('endpoints are spread over the zones in proportion to their CPUs', () => {
  test.each([
    ['each zone its own when that is fair', 'aabb', [4, 4], 'aabb'],
    ['one lent by the zone with more', 'aaab', [4, 4], 'baab'],
    ['unready ones have none', 'aaAAbb', [4, 4], 'aa..bb'],
    ['more to the zone with more CPUs', 'aabb', [2, 6], 'babb'],
    ['half an endpoint is not worth lending', 'aaaabbb', [4, 4], 'aaaabbb'],
    ['three zones', 'aaaaaa', [4, 4, 4], 'bbccaa'],
  ])('%s', (_, zones, cpus, hints) => {
    const nodes = cpus.map((cpu, index) => node('abc'.charAt(index), cpu));
    const outcome = allocateHints(plan({ create: [slice(zones)] }), nodes);
    expect(outcome.kind).toBe('allocated');
    expect(hintsOf(outcome.plan.create[0])).toBe(hints);
  });

  test('no zone gets less than five sixths of its share, whatever the numbers', () => {
    const zones = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 3, maxLength: 60 });
    const cpus = fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 1, max: 64 })));
    fc.assert(
      fc.property(zones, cpus, (placed, [a = 1, b = 1, c = 1]) => {
        const nodes = [node('a', a), node('b', b), node('c', c)];
        const outcome = allocateHints(plan({ create: [slice(placed.join(''))] }), nodes);
        if (outcome.kind === 'refused') return;
        const hints = hintsOf(outcome.plan.create[0]);
        expect(hints).toHaveLength(placed.length);
        for (const [zone, cpu] of Object.entries({ a, b, c })) {
          const fair = (placed.length * cpu) / (a + b + c);
          const got = hints.split(zone).length - 1;
          expect(got).toBeGreaterThanOrEqual(Math.floor(fair / 1.2));
        }
      }),
    );
  });
});

describe('hints that stand are left alone while no zone has too many', () => {
  const nodes = [node('a', 4), node('b', 4)];

  test('a change in one slice leaves the other', () => {
    const outcome = allocateHints(
      plan({ update: [slice('ab')], unchanged: [slice('aaab', 'abab')] }),
      nodes,
    );
    expect(hintsOf(outcome.plan.update[0])).toBe('ab');
    expect(outcome.plan.unchanged.map(hintsOf)).toEqual(['abab']);
  });

  test('too many for a zone, or an endpoint without a hint: the slice is done again', () => {
    for (const hints of ['aaaa', 'aab'])
      expect(
        allocateHints(plan({ unchanged: [slice('aabb', hints)] }), nodes).plan.update.map(hintsOf),
      ).toEqual(['aabb']);
  });

  test('doing it again changes nothing', () => {
    const first = allocateHints(plan({ create: [slice('aaaaab'), slice('b')] }), nodes);
    const again = allocateHints(plan({ unchanged: first.plan.create }), nodes);
    expect(again.plan).toMatchObject({ update: [], unchanged: first.plan.create });
  });
});

describe('there are no hints', () => {
  const two = [node('a', 4), node('b', 4)];
  test.each([
    [
      'with fewer endpoints than zones',
      'a',
      two,
      'Insufficient number of endpoints (1 endpoints, 2 zones)',
    ],
    [
      'when a zone would be overloaded',
      'aab',
      [node('a', 1), node('b', 1), node('c', 1), node('c', 3)],
      'Minimum allocation of required endpoints exceeds overload threshold (3 endpoints, 3 zones)',
    ],
    [
      'when a node is in no zone',
      'ab',
      [...two, node('', 4)],
      'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes',
    ],
    [
      'in one zone',
      'aa',
      [node('a', 4)],
      'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes',
    ],
    [
      'when an endpoint is in no zone',
      'aab-',
      two,
      'One or more endpoints do not have a zone specified',
    ],
  ])('%s', (_, zones, nodes, why) => {
    const outcome = allocateHints(plan({ unchanged: [slice(zones, zones)] }), nodes);
    expect(outcome).toMatchObject({ kind: 'refused', why });
    expect(outcome.plan.update.map(hintsOf)).toEqual(['.'.repeat(zones.length)]);
  });

  test('nodes of the control plane and nodes that are not ready do not count', () => {
    const control = node('a', 64, { 'node-role.kubernetes.io/control-plane': '' });
    const lost: Node = { ...node('b', 64), status: { allocatable: { cpu: '64' } } };
    const outcome = allocateHints(plan({ create: [slice('aabb')] }), [...two, control, lost]);
    expect(hintsOf(outcome.plan.create[0])).toBe('aabb');
  });
});
