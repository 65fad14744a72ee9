import { expect, test } from 'vitest';
import type { Node, Service } from '../../src/api/types/core.ts';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import type { KubeObject } from '../../src/api/types/meta.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { NodeProxy } from '../../src/node/node-proxy.ts';
import type { ObjectFeed } from '../../src/node/object-feed.ts';
import { directDialer } from '../../src/proxy/dialer.ts';
import type { Engine } from '../../src/proxy/engine/engine.ts';
import { Ingress } from '../../src/proxy/ingress.ts';
import { cidr } from '../ipam/addresses.ts';
import { endpoint, service, slice } from '../services/objects.ts';

type Handler<T> = (current: T | undefined, previous: T | undefined) => void;

/** A feed that says what a test tells it to. */
function feedOf<T extends KubeObject>(first: readonly T[]) {
  const handlers: Handler<T>[] = [];
  const feed: ObjectFeed<T> = {
    synced: Promise.resolve(),
    get: () => undefined,
    list: () => first,
    subscribe: (handler) => {
      handlers.push(handler);
      for (const object of first) handler(object, undefined);
      return () => {};
    },
  };
  const tell: Handler<T> = (current, previous) => {
    for (const handler of handlers) handler(current, previous);
  };
  return { feed, tell };
}

function node(zone: string, more: Partial<Node['spec']> = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': zone } },
    spec: more,
  };
}

const engine = {
  listen: async (local: { address: string; port: number }) => {
    const close = (): Promise<void> => Promise.resolve();
    return { local, close, [Symbol.asyncDispose]: close };
  },
} as unknown as Engine;

test('a proxy follows its node: zone, and whether load balancers should look elsewhere', async () => {
  const clock = new ManualClock();
  const hinted = (zone: string) => ({ hints: { forZones: [{ name: zone }] } });
  const nodes = feedOf<Node>([node('a')]);
  const slices = feedOf<EndpointSlice>([
    slice([
      endpoint('127.244.0.9', 'node-1', 'ready', hinted('a')),
      endpoint('127.244.1.9', 'node-2', 'ready', hinted('b')),
    ]),
  ]);
  await using proxy = new NodeProxy({
    clock,
    random: seededRandom('node'),
    nodeName: 'node-1',
    zone: 'a',
    addresses: ['127.18.0.2'],
    mode: 'iptables',
    podCIDR: cidr('127.244.0.0/24'),
    clusterCIDR: cidr('127.244.0.0/16'),
    serviceCIDR: cidr('127.96.0.0/16'),
    ingress: new Ingress({ engine, clock, events: { problem: () => {}, solved: () => {} } }),
    dialer: directDialer,
    services: feedOf<Service>([service()]).feed,
    endpointSlices: slices.feed,
    nodes: nodes.feed,
  });
  const { proxier } = proxy;
  const clusterEndpoints = (): string[] => {
    clock.advance(0);
    return [...proxier.table.servicePorts.values()].flatMap(({ categories }) =>
      categories.cluster.map(({ address }) => address),
    );
  };
  await Promise.resolve();
  expect(clusterEndpoints()).toEqual(['127.244.0.9']);

  nodes.tell(node('b'), node('a'));
  expect(clusterEndpoints()).toEqual(['127.244.1.9']);
  const { version } = proxier.table;
  nodes.tell(node('b'), node('b'));
  nodes.tell({ ...node('a'), metadata: { name: 'node-2' } }, undefined);
  expect(clusterEndpoints()).toEqual(['127.244.1.9']);
  expect(proxier.table.version).toBe(version);

  expect(proxier.health.status().nodeEligible).toBe(true);
  const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' as const }];
  nodes.tell(node('b', { taints }), node('b'));
  expect(proxier.health.status().nodeEligible).toBe(false);
  nodes.tell(node('b'), node('b', { taints }));
  expect(proxier.health.status().nodeEligible).toBe(true);
});
