import { expect, test } from 'vitest';
import type { Node, Service } from '../../src/api/types/core.ts';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import type { KubeObject } from '../../src/api/types/meta.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { NodeProxy, type RuleSettings } from '../../src/node/node-proxy.ts';
import { parseDetector, parseNodePortAddresses } from '../../src/node/proxy-flags.ts';
import type { ObjectFeed } from '../../src/node/object-feed.ts';
import { directDialer } from '../../src/proxy/dialer.ts';
import { Ingress } from '../../src/proxy/ingress.ts';
import type { ProxyModeName } from '../../src/proxy/proxy-mode.ts';
import { cidr } from '../ipam/addresses.ts';
import { endpoint, service, slice } from '../services/objects.ts';
import { socklessEngine } from '../support/sockless-engine.ts';

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

const { engine } = socklessEngine();

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

/** `*` behind every endpoint a client at `from` may reach with SNAT; or the verdict. */
async function reach(
  mode: ProxyModeName,
  rules: RuleSettings,
  from: string,
  to: string,
): Promise<string> {
  const clock = new ManualClock();
  await using proxy = new NodeProxy({
    clock,
    random: seededRandom('rules'),
    nodeName: 'node-1',
    zone: '',
    addresses: ['127.18.0.2', '127.0.0.1'],
    mode,
    rules,
    podCIDR: cidr('127.244.0.0/24'),
    clusterCIDR: cidr('127.244.0.0/16'),
    serviceCIDR: cidr('127.96.0.0/16'),
    ingress: new Ingress({ engine, clock, events: { problem: () => {}, solved: () => {} } }),
    dialer: directDialer,
    services: feedOf<Service>([
      service({
        type: 'NodePort',
        clusterIP: '127.96.0.9',
        ports: [{ port: 80, nodePort: 30_080 }],
      }),
    ]).feed,
    endpointSlices: feedOf<EndpointSlice>([slice([endpoint('127.244.1.9', 'node-2')])]).feed,
    nodes: feedOf<Node>([node('')]).feed,
  });
  await Promise.resolve();
  clock.advance(0);
  const [address = '', port] = to.split(':');
  const { verdict, endpoints } = proxy.proxier.mode.reach({
    protocol: 'TCP',
    source: { address: from, port: 40_000 },
    destination: { address, port: Number(port) },
  });
  if (verdict !== 'forward') return verdict;
  return endpoints.map((one) => `${one.address}${one.snat ? '*' : ''}`).join(' ');
}

const HERE = '127.244.0.7';
const ELSEWHERE = '127.244.1.7';
const CLUSTER_IP = '127.96.0.9:80';
const BACKEND = '127.244.1.9:8080';

test.each<[string, RuleSettings, string, string, string]>([
  ['nothing', {}, HERE, CLUSTER_IP, BACKEND],
  ['nothing', {}, ELSEWHERE, CLUSTER_IP, BACKEND],
  ['nothing', {}, '127.18.0.2', CLUSTER_IP, `${BACKEND}*`],
  ['nothing', {}, '127.18.0.1', '127.0.0.1:30080', `${BACKEND}*`],
  ['masqueradeAll', { masqueradeAll: true }, HERE, CLUSTER_IP, `${BACKEND}*`],
  ['node-cidr', { detectLocal: parseDetector('node-cidr') }, HERE, CLUSTER_IP, BACKEND],
  ['node-cidr', { detectLocal: parseDetector('node-cidr') }, ELSEWHERE, CLUSTER_IP, `${BACKEND}*`],
  ['no detector', { detectLocal: 'none' }, '127.18.0.9', CLUSTER_IP, BACKEND],
  ['primary', { nodePortAddresses: 'primary' }, HERE, '127.18.0.2:30080', `${BACKEND}*`],
  ['primary', { nodePortAddresses: 'primary' }, HERE, '127.0.0.1:30080', 'pass'],
  [
    'a block',
    { nodePortAddresses: parseNodePortAddresses('127.0.0.0/24') },
    HERE,
    '127.18.0.2:30080',
    'pass',
  ],
  [
    'all',
    { nodePortAddresses: parseNodePortAddresses('all') },
    HERE,
    '127.0.0.1:30080',
    `${BACKEND}*`,
  ],
])('rules: %s %o: %s to %s: %s', async (_, rules, from, to, expected) => {
  for (const mode of ['iptables', 'nftables', 'ipvs'] as const)
    expect([mode, await reach(mode, rules, from, to)]).toEqual([mode, expected]);
});
