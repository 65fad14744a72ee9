import { expect, test } from 'vitest';
import type { Node } from '../../../src/api/types/core.ts';
import { evictionsByZone } from '../../../src/controlplane/controllers/zone-disruption.ts';
import { testNode } from '../support.ts';

function nodes(zone: string, ready: number, silent: number): Node[] {
  return Array.from({ length: ready + silent }, (_, index) => {
    const made = testNode(`${zone}-${index}`);
    const status = index < ready ? 'True' : 'Unknown';
    return {
      ...made,
      metadata: { ...made.metadata, labels: { 'topology.kubernetes.io/zone': zone } },
      status: { conditions: [{ type: 'Ready', status }] },
    };
  });
}

test.each<[string, Node[], string]>([
  ['one node of three is silent', nodes('a', 2, 1), 'allowed'],
  ['two of three: too few for a disruption', nodes('a', 1, 2), 'allowed'],
  ['three of five', nodes('a', 2, 3), 'held'],
  ['three of six: below 55 %', nodes('a', 3, 3), 'allowed'],
  ['most of a large zone', nodes('a', 20, 40), 'allowed'],
  ['all', nodes('a', 0, 3), 'withdrawn'],
  ['all of both zones', [...nodes('a', 0, 3), ...nodes('b', 0, 2)], 'withdrawn'],
  ['a whole zone, but not the other', [...nodes('a', 0, 3), ...nodes('b', 1, 0)], 'allowed'],
  ['most of this zone, none of the other', [...nodes('a', 1, 4), ...nodes('b', 5, 0)], 'held'],
])('%s', (_, all, expected) => {
  const [first] = all;
  expect(first && evictionsByZone(all)(first)).toBe(expected);
});
