import { describe, expect, test } from 'vitest';
import type { Node, Pod, Service } from '../../../src/api/types/core.ts';
import type { EndpointSlice } from '../../../src/api/types/discovery.ts';
import {
  reconcileSlices,
  type SliceChanges,
} from '../../../src/controlplane/controllers/endpoint-slices.ts';
import { testNode } from '../support.ts';

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 'web-uid' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  };
}

interface PodShape {
  readonly ready?: boolean;
  readonly deleted?: boolean;
  readonly phase?: NonNullable<Pod['status']>['phase'];
  readonly spec?: Partial<Pod['spec']>;
}

function pod(number: number, { ready = true, deleted, phase, spec }: PodShape = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${number}`,
      namespace: 'default',
      uid: `uid-${number}`,
      ...(deleted === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'c', image: 'nginx' }], nodeName: 'node-1', ...spec },
    status: {
      phase: phase ?? 'Running',
      podIP: `127.244.${number >> 8}.${number & 255}`,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

function zoned(name: string, zone: string): Node {
  const node = testNode(name);
  node.metadata.labels = { 'topology.kubernetes.io/zone': zone };
  return node;
}

const NODES = [zoned('node-1', 'a'), zoned('node-2', 'b')];

function reconcile(
  of: Service,
  these: readonly Pod[],
  existing: readonly EndpointSlice[] = [],
): SliceChanges {
  const node = (name: string) => NODES.find(({ metadata }) => metadata.name === name);
  return reconcileSlices({ service: of, pods: these, node, nodes: NODES, existing });
}

/** As the store would have them afterwards. */
function stored(changes: SliceChanges, existing: readonly EndpointSlice[] = []): EndpointSlice[] {
  const gone = new Set(changes.delete.map(({ metadata }) => metadata.name));
  const updated = new Map(changes.update.map((slice) => [slice.metadata.name, slice]));
  const created = changes.create.map((slice, index) => ({
    ...slice,
    metadata: { ...slice.metadata, name: `web-${existing.length + index}` },
  }));
  return [
    ...existing
      .filter(({ metadata }) => !gone.has(metadata.name))
      .map((slice) => updated.get(slice.metadata.name) ?? slice),
    ...created,
  ];
}

function sizes(slices: readonly EndpointSlice[]): number[] {
  return slices.map(({ endpoints }) => endpoints?.length ?? 0);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function pods(count: number): Pod[] {
  return range(1, count).map((number) => pod(number));
}

describe('a hundred endpoints a slice', () => {
  test('250 pods fill three slices, and a pod more takes one write', () => {
    const slices = stored(reconcile(service(), pods(250)));
    expect(sizes(slices)).toEqual([100, 100, 50]);
    const more = reconcile(service(), pods(251), slices);
    expect([more.create.length, more.update.length, more.delete.length]).toEqual([0, 1, 0]);
    expect(sizes(stored(more, slices))).toEqual([100, 100, 51]);
  });

  test('a pod that goes is one write, and its place is taken by the next', () => {
    const slices = stored(reconcile(service(), pods(250)));
    const without = pods(250).filter(({ metadata }) => metadata.name !== 'web-7');
    const changes = reconcile(service(), without, slices);
    expect([changes.create.length, changes.update.length, changes.delete.length]).toEqual([
      0, 1, 0,
    ]);
    expect(sizes(stored(changes, slices))).toEqual([99, 100, 50]);
  });

  test('nothing changed: nothing is written; no pods: one empty slice remains', () => {
    const slices = stored(reconcile(service(), pods(250)));
    expect(reconcile(service(), pods(250), slices)).toMatchObject({
      create: [],
      update: [],
      delete: [],
    });
    const none = reconcile(service(), [], slices);
    expect([none.create.length, none.update.length, none.delete.length]).toEqual([0, 1, 2]);
    const placeholder = stored(none, slices);
    expect(placeholder).toMatchObject([{ endpoints: [], ports: [] }]);
    expect(reconcile(service(), [], placeholder)).toMatchObject({
      create: [],
      update: [],
      delete: [],
    });
  });

  test('what is left goes into the one slice that it fits best, whatever room others have', () => {
    const slices = stored(reconcile(service(), pods(250)));
    // 99, 90 and 50 endpoints are left.
    const gone = new Set([1, ...range(101, 110)]);
    const fewer = pods(250).filter((_, index) => !gone.has(index + 1));
    const thinned = stored(reconcile(service(), fewer, slices), slices);
    expect(sizes(thinned)).toEqual([99, 90, 50]);
    const more = reconcile(service(), [...fewer, pod(301), pod(302)], thinned);
    expect([more.create.length, more.update.length, more.delete.length]).toEqual([0, 1, 0]);
    expect(sizes(stored(more, thinned))).toEqual([99, 92, 50]);
  });

  test('slices that are written anyway are filled first, then new ones, then the rest finds its place', () => {
    const slices = stored(reconcile(service(), pods(250)));
    const without = pods(250).slice(1);
    const many = range(301, 402).map((number) => pod(number));
    const changes = reconcile(service(), [...without, ...many], slices);
    expect([changes.create.length, changes.update.length, changes.delete.length]).toEqual([
      1, 2, 0,
    ]);
    expect(sizes(stored(changes, slices))).toEqual([100, 100, 51, 100]);
  });

  test('a slice that would go is used for one that would be made', () => {
    const slices = stored(reconcile(service(), pods(3)));
    const other = service({ ports: [{ port: 80, targetPort: 9090 }] });
    const changes = reconcile(other, pods(3), slices);
    expect(changes).toMatchObject({
      create: [],
      update: [{ metadata: { name: 'web-0' }, ports: [{ port: 9090 }] }],
      delete: [],
    });
  });
});

describe('conditions', () => {
  test.each<[string, PodShape, Partial<Service['spec']>, object | undefined]>([
    ['ready', {}, {}, { ready: true, serving: true, terminating: false }],
    ['not ready', { ready: false }, {}, { ready: false, serving: false, terminating: false }],
    ['terminating', { deleted: true }, {}, { ready: false, serving: true, terminating: true }],
    [
      'terminating and no longer ready',
      { deleted: true, ready: false },
      {},
      { ready: false, serving: false, terminating: true },
    ],
    [
      'not ready, but published',
      { ready: false },
      { publishNotReadyAddresses: true },
      { ready: true, serving: false, terminating: false },
    ],
    ['finished', { phase: 'Succeeded' }, {}, undefined],
  ])('%s', (_, shape, spec, conditions) => {
    const [slice] = reconcile(service(spec), [pod(1, shape)]).create;
    expect(slice?.endpoints?.[0]?.conditions).toEqual(conditions);
  });
});

test('pods that serve a named port under different numbers are in different slices', () => {
  const named = service({ ports: [{ port: 80, targetPort: 'http' }] });
  const serving = (number: number, containerPort: number) =>
    pod(number, {
      spec: {
        containers: [{ name: 'c', image: 'nginx', ports: [{ name: 'http', containerPort }] }],
      },
    });
  const { create } = reconcile(named, [serving(1, 8080), serving(2, 9090), serving(3, 8080)]);
  expect(create.map(({ ports, endpoints }) => [ports?.[0]?.port, endpoints?.length])).toEqual([
    [8080, 2],
    [9090, 1],
  ]);
});

test("hostname and subdomain: a pod's own name, under its own Service alone", () => {
  const own = pod(1, { spec: { hostname: 'db-0', subdomain: 'web' } });
  const others = pod(2, { spec: { hostname: 'db-1', subdomain: 'other' } });
  const [slice] = reconcile(service({ clusterIP: 'None' }), [own, others]).create;
  expect(slice?.endpoints?.map(({ hostname }) => hostname)).toEqual(['db-0', undefined]);
  expect(slice?.metadata.labels).toMatchObject({
    'service.kubernetes.io/headless': '',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  expect(slice?.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Service', controller: true });
});

describe('trafficDistribution', () => {
  const here = pod(1, { spec: { nodeName: 'node-1' } });
  const there = pod(2, { spec: { nodeName: 'node-2' } });
  const unready = pod(3, { ready: false, spec: { nodeName: 'node-2' } });

  test.each<[string | undefined, (object | undefined)[]]>([
    [undefined, [undefined, undefined, undefined]],
    ['PreferClose', [{ forZones: [{ name: 'a' }] }, { forZones: [{ name: 'b' }] }, undefined]],
    ['PreferSameZone', [{ forZones: [{ name: 'a' }] }, { forZones: [{ name: 'b' }] }, undefined]],
    [
      'PreferSameNode',
      [
        { forZones: [{ name: 'a' }], forNodes: [{ name: 'node-1' }] },
        { forZones: [{ name: 'b' }], forNodes: [{ name: 'node-2' }] },
        undefined,
      ],
    ],
  ])('%s', (trafficDistribution, hints) => {
    const spec = trafficDistribution === undefined ? {} : { trafficDistribution };
    const [slice] = reconcile(service(spec as Partial<Service['spec']>), [
      here,
      there,
      unready,
    ]).create;
    expect(slice?.endpoints?.map((endpoint) => endpoint.hints)).toEqual(hints);
    expect(slice?.endpoints?.map(({ zone }) => zone)).toEqual(['a', 'b', 'b']);
  });
});
