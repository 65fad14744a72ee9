import { describe, expect, test } from 'vitest';
import { type Cidr, parseCidr } from '../../../src/base/ip.ts';
import type { ControlPlane } from '../../../src/controlplane/control-plane.ts';
import { settle, startTestPlane, testNode } from '../support.ts';

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

/** Room for four nodes. */
async function startPlane(serviceCidr = '127.96.0.0/16') {
  const started = await startTestPlane({
    config: {
      serviceCidr: cidr(serviceCidr),
      clusterCidrs: [{ cidr: cidr('127.244.0.0/22'), nodePrefixLength: 24 }],
    },
  });
  return { ...started, [Symbol.asyncDispose]: () => started.plane[Symbol.asyncDispose]() };
}

async function podCidrs(plane: ControlPlane): Promise<Record<string, string | undefined>> {
  const { items } = await plane.client.resource('nodes').list();
  return Object.fromEntries(items.map(({ metadata, spec }) => [metadata.name, spec.podCIDR]));
}

describe('podCIDRs of nodes', () => {
  test('come in order of arrival, and are written once', async () => {
    await using started = await startPlane();
    const { plane, clock } = started;
    for (const name of ['b', 'a']) await plane.client.resource('nodes').create(testNode(name));
    await settle(clock);
    expect(await podCidrs(plane)).toEqual({ a: '127.244.1.0/24', b: '127.244.0.0/24' });
    const { spec } = await plane.client.resource('nodes').get('a');
    expect(spec.podCIDRs).toEqual(['127.244.1.0/24']);
  });

  test('what a node brings is left to it', async () => {
    await using started = await startPlane();
    const { plane, clock } = started;
    const own = '127.244.0.0/24';
    const nodes = plane.client.resource('nodes');
    await nodes.create(testNode('own', { podCIDR: own, podCIDRs: [own] }));
    await nodes.create(testNode('other'));
    await settle(clock);
    expect(await podCidrs(plane)).toEqual({ own, other: '127.244.1.0/24' });
  });

  test('none left: an Event says so, and the next free one is given at once', async () => {
    await using started = await startPlane();
    const { plane, clock } = started;
    const nodes = plane.client.resource('nodes');
    for (const name of ['n1', 'n2', 'n3', 'n4', 'n5']) await nodes.create(testNode(name));
    await settle(clock);
    expect((await podCidrs(plane))['n5']).toBeUndefined();
    const { items } = await plane.client
      .resource('events')
      .list({ fieldSelector: 'reason=CIDRNotAvailable' });
    expect(
      items.map(({ involvedObject, message, type }) => [involvedObject.name, message, type]),
    ).toEqual([['n5', 'Node n5 status is now: CIDRNotAvailable', 'Normal']]);
    await nodes.delete('n2');
    await settle(clock);
    expect((await podCidrs(plane))['n5']).toBe('127.244.1.0/24');
  });

  test('a Service range inside the pod range is kept free', async () => {
    await using started = await startPlane('127.244.0.0/24');
    const { plane, clock } = started;
    await plane.client.resource('nodes').create(testNode('n1'));
    await settle(clock);
    expect(await podCidrs(plane)).toEqual({ n1: '127.244.1.0/24' });
  });
});
