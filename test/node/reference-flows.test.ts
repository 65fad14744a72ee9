// Every row of the tables in kube-proxy's behaviour (endpoint choice, REJECT/DROP, SNAT, source ranges,
// node-port addresses), asked of every mode. The network is that of upstream's own flow tests.
import { describe, expect, test } from 'vitest';
import type { SliceEndpoint } from '../../src/api/types/discovery.ts';
import { explainOffline, type OfflineProxy } from '../../src/node/explain-offline.ts';
import { parseDetectLocal, parseFlow, parseNodePortAddresses } from '../../src/node/proxy-flags.ts';
import type { ProxyModeName } from '../../src/proxy/proxy-mode.ts';
import { parseCidr } from '../../src/base/ip.ts';
import { endpoint, service, type ServiceShape, slice } from '../services/objects.ts';

const MODES = ['iptables', 'nftables', 'ipvs', 'userspace'] as const;

const POD = '10.0.1.99';
const NODE_IP = '192.168.0.2';
const OUTSIDE = '203.0.113.2';
const BLOCKED = '203.0.113.130';
const LOCALHOST = '127.0.0.1';

const CLUSTER_IP = '172.30.0.41';
const VIP = '1.2.3.4';
const EXTERNAL_IP = '192.168.99.11';
const NODE_PORT = 3001;

const TO = {
  clusterIP: `${CLUSTER_IP}:80`,
  vip: `${VIP}:80`,
  externalIP: `${EXTERNAL_IP}:80`,
  nodePort: `${NODE_IP}:${NODE_PORT}`,
} as const;
const EXTERNAL = [TO.vip, TO.externalIP, TO.nodePort] as const;

/** 10.0.1.N is on this node, 10.0.2.N on another; `1` and `2` below are the last octets. */
const HERE = endpoint('10.0.1.1', 'here');
const FAR = endpoint('10.0.2.2', 'far');

const LB: ServiceShape = {
  type: 'LoadBalancer',
  clusterIP: CLUSTER_IP,
  ports: [{ port: 80, nodePort: NODE_PORT }],
  externalIPs: [EXTERNAL_IP],
  ingress: [VIP],
};
const ETP_LOCAL: ServiceShape = { ...LB, externalTrafficPolicy: 'Local' };
const INTERNAL: ServiceShape = { clusterIP: CLUSTER_IP };

interface World {
  readonly shape?: ServiceShape;
  readonly endpoints?: SliceEndpoint[];
  readonly zone?: string;
  /** Default true: pods are 10.0.0.0/8. */
  readonly detector?: boolean;
  readonly options?: Partial<OfflineProxy>;
}

/** `1 2` for the endpoints reached, `*` behind those with SNAT; or REJECT, DROP, PASS. */
async function ask(mode: ProxyModeName, world: World, from: string, to: string): Promise<string> {
  const { verdict, endpoints } = await explainOffline(
    {
      services: [service(world.shape ?? LB)],
      slices: [slice(world.endpoints ?? [HERE, FAR])],
      nodes: [
        {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: { name: 'here', labels: { 'topology.kubernetes.io/zone': world.zone ?? '' } },
          spec: {},
          status: { addresses: [{ type: 'InternalIP', address: NODE_IP }] },
        },
      ],
      nodeName: 'here',
      nodeIPs: [],
      mode,
      detectLocal:
        world.detector === false
          ? undefined
          : parseDetectLocal('cluster-cidr=10.0.0.0/8', undefined),
      masqueradeAll: false,
      localhostNodePorts: true,
      nodePortAddresses: 'default',
      serviceCIDRs: ['172.30.0.0/16'].flatMap((text) => parseCidr(text) ?? []),
      ...world.options,
    },
    parseFlow(from, to),
  );
  if (verdict !== 'forward') return verdict.toUpperCase();
  expect(endpoints.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1);
  return endpoints
    .map(({ address, snat }) => `${address.split(/[.:]/)[3]}${snat ? '*' : ''}`)
    .join(' ');
}

interface Row {
  readonly what: string;
  readonly world: World;
  readonly from: string;
  readonly to: string;
  /** By mode; where only `netfilter` is given, iptables and nftables agree. */
  readonly expected: {
    readonly netfilter?: string;
    readonly iptables?: string;
    readonly nftables?: string;
    readonly ipvs: string;
    readonly userspace: string;
  };
}

function run(rows: readonly Row[]): void {
  for (const { what, world, from, to, expected } of rows)
    for (const mode of MODES) {
      const wanted =
        mode === 'ipvs' || mode === 'userspace'
          ? expected[mode]
          : (expected[mode] ?? expected.netfilter);
      test(`${mode}: ${what}: ${from} to ${to}: ${wanted}`, async () => {
        expect(await ask(mode, world, from, to)).toBe(wanted);
      });
    }
}

/** All modes alike, but that userspace loses the client's address. */
function all(expected: string): Row['expected'] {
  const relayed = /^\d/.test(expected) ? expected.replaceAll(/(\d)\*?/g, '$1*') : expected;
  return { netfilter: expected, ipvs: expected, userspace: relayed };
}

const hinted = (zone: string) => ({ hints: { forZones: [{ name: zone }] } });
const HINTED = [
  endpoint('10.0.1.1', 'here', 'ready', hinted('b')),
  endpoint('10.0.2.2', 'far', 'ready', hinted('a')),
];

describe('endpoint choice: policy by topology', () => {
  const both: World = { endpoints: HINTED, zone: 'a' };
  const plain: World = {};
  const etpLocal: World = { ...both, shape: ETP_LOCAL };
  const itpLocal: World = { ...both, shape: { ...LB, internalTrafficPolicy: 'Local' } };
  const bothLocal: World = { ...both, shape: { ...ETP_LOCAL, internalTrafficPolicy: 'Local' } };
  run([
    {
      what: 'both Cluster, no hints',
      world: plain,
      from: POD,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'both Cluster, no hints',
      world: plain,
      from: OUTSIDE,
      to: TO.vip,
      expected: all('1* 2*'),
    },
    {
      what: 'hints usable',
      world: both,
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '2', ipvs: '2', userspace: '1* 2*' },
    },
    {
      what: 'hints usable',
      world: both,
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: '2*', ipvs: '2*', userspace: '1* 2*' },
    },
    {
      what: 'eTP Local',
      world: etpLocal,
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '2', ipvs: '2', userspace: '1* 2*' },
    },
    {
      what: 'eTP Local',
      world: etpLocal,
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: '1', ipvs: '1', userspace: '1* 2*' },
    },
    {
      what: 'eTP Local',
      world: etpLocal,
      from: POD,
      to: TO.vip,
      expected: { netfilter: '2', ipvs: '1', userspace: '1* 2*' },
    },
    {
      what: 'eTP Local',
      world: etpLocal,
      from: NODE_IP,
      to: TO.vip,
      expected: { netfilter: '2*', ipvs: '1', userspace: '1* 2*' },
    },
    {
      what: 'iTP Local',
      world: itpLocal,
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '1', ipvs: '1', userspace: '1* 2*' },
    },
    {
      what: 'iTP Local',
      world: itpLocal,
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: '2*', ipvs: '2*', userspace: '1* 2*' },
    },
    {
      what: 'both Local',
      world: bothLocal,
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '1', ipvs: '1', userspace: '1* 2*' },
    },
    {
      what: 'both Local',
      world: bothLocal,
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: '1', ipvs: '1', userspace: '1* 2*' },
    },
    {
      what: 'both Local',
      world: bothLocal,
      from: POD,
      to: TO.vip,
      expected: { netfilter: '2', ipvs: '1', userspace: '1* 2*' },
    },
  ]);
});

describe('terminating endpoints', () => {
  const draining = [
    endpoint('10.0.1.1', 'here', 'terminating'),
    endpoint('10.0.2.2', 'far', 'terminating'),
    endpoint('10.0.2.3', 'far', 'dead'),
    endpoint('10.0.2.4', 'far', 'unready'),
  ];
  const mixed = [endpoint('10.0.1.1', 'here', 'terminating'), FAR];
  run([
    {
      what: 'nothing ready',
      world: { endpoints: draining },
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '1 2', ipvs: '1 2', userspace: 'REJECT' },
    },
    {
      what: 'one ready anywhere',
      world: { endpoints: mixed },
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '2', ipvs: '2', userspace: '2*' },
    },
    {
      what: 'local set decides on its own',
      world: { endpoints: mixed, shape: ETP_LOCAL },
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: '1', ipvs: '1', userspace: '2*' },
    },
  ]);
});

describe('REJECT, DROP or neither', () => {
  const none: World = { endpoints: [] };
  const farOnly: World = { endpoints: [FAR] };
  const ranges: ServiceShape = { ...LB, loadBalancerSourceRanges: ['203.0.113.0/25'] };
  run([
    ...[...EXTERNAL, TO.clusterIP].flatMap((to) =>
      [POD, OUTSIDE].map(
        (from): Row => ({
          what: 'no usable endpoint anywhere',
          world: none,
          from,
          to,
          expected: all('REJECT'),
        }),
      ),
    ),
    {
      what: 'iTP Local, none here, internal only',
      world: { ...farOnly, shape: { ...INTERNAL, internalTrafficPolicy: 'Local' } },
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: 'DROP', ipvs: 'REJECT', userspace: '2*' },
    },
    {
      what: 'iTP Local, none here, also external',
      world: { ...farOnly, shape: { ...LB, internalTrafficPolicy: 'Local' } },
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: 'DROP', ipvs: '2', userspace: '2*' },
    },
    ...EXTERNAL.flatMap((to): Row[] => {
      const world: World = { ...farOnly, shape: ETP_LOCAL };
      const what = 'eTP Local, none here';
      return [
        {
          what,
          world,
          from: OUTSIDE,
          to,
          expected: { netfilter: 'DROP', ipvs: '2', userspace: '2*' },
        },
        { what, world, from: POD, to, expected: { netfilter: '2', ipvs: '2', userspace: '2*' } },
        {
          what,
          world,
          from: NODE_IP,
          to,
          expected: { netfilter: '2*', ipvs: '2', userspace: '2*' },
        },
      ];
    }),
    {
      what: 'source not in ranges, endpoints exist',
      world: { shape: ranges },
      from: BLOCKED,
      to: TO.vip,
      expected: { netfilter: 'DROP', ipvs: 'DROP', userspace: '1* 2*' },
    },
    {
      what: 'source not in ranges, no endpoints',
      world: { shape: ranges, ...none },
      from: BLOCKED,
      to: TO.vip,
      expected: { iptables: 'REJECT', nftables: 'DROP', ipvs: 'DROP', userspace: 'REJECT' },
    },
    {
      what: 'port not offered by a ClusterIP',
      world: {},
      from: POD,
      to: `${CLUSTER_IP}:81`,
      expected: { iptables: 'PASS', nftables: 'REJECT', ipvs: 'REJECT', userspace: 'PASS' },
    },
    {
      what: 'protocol not offered by a ClusterIP',
      world: {},
      from: POD,
      to: `${CLUSTER_IP}:80/udp`,
      expected: { iptables: 'PASS', nftables: 'REJECT', ipvs: 'REJECT', userspace: 'PASS' },
    },
    {
      what: 'port not offered by a VIP',
      world: {},
      from: POD,
      to: `${VIP}:81`,
      expected: { netfilter: 'PASS', ipvs: 'REJECT', userspace: 'PASS' },
    },
    {
      what: 'unallocated address of the service CIDR',
      world: {},
      from: POD,
      to: '172.30.0.99:80',
      expected: { iptables: 'PASS', nftables: 'DROP', ipvs: 'PASS', userspace: 'PASS' },
    },
    {
      what: 'unallocated address, service CIDR unknown',
      world: { options: { serviceCIDRs: [] } },
      from: POD,
      to: '172.30.0.99:80',
      expected: all('PASS'),
    },
    {
      what: 'node port no Service has',
      world: {},
      from: OUTSIDE,
      to: `${NODE_IP}:3999`,
      expected: all('PASS'),
    },
    {
      what: 'node port on loopback',
      world: {},
      from: LOCALHOST,
      to: `127.0.0.1:${NODE_PORT}`,
      expected: { iptables: '1* 2*', nftables: 'PASS', ipvs: 'PASS', userspace: '1* 2*' },
    },
  ]);
});

describe('source address', () => {
  const noDetector: World = { detector: false };
  const masqueradeAll: World = { options: { masqueradeAll: true } };
  const local: World = { shape: ETP_LOCAL };
  const relayed = { userspace: '1* 2*' };
  const itpLocal: World = { shape: { ...LB, internalTrafficPolicy: 'Local' } };
  run([
    { what: 'pod to ClusterIP', world: {}, from: POD, to: TO.clusterIP, expected: all('1 2') },
    {
      what: 'node to ClusterIP',
      world: {},
      from: NODE_IP,
      to: TO.clusterIP,
      expected: all('1* 2*'),
    },
    {
      what: 'outside to ClusterIP',
      world: {},
      from: OUTSIDE,
      to: TO.clusterIP,
      expected: all('1* 2*'),
    },
    {
      what: 'no detector',
      world: noDetector,
      from: NODE_IP,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'no detector',
      world: noDetector,
      from: OUTSIDE,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'masqueradeAll',
      world: masqueradeAll,
      from: POD,
      to: TO.clusterIP,
      expected: all('1* 2*'),
    },
    {
      what: 'masqueradeAll',
      world: { ...masqueradeAll, shape: ETP_LOCAL },
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: '1', ipvs: '1', ...relayed },
    },
    {
      what: 'iTP Local',
      world: itpLocal,
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '1', ipvs: '1', ...relayed },
    },
    {
      what: 'iTP Local',
      world: itpLocal,
      from: NODE_IP,
      to: TO.clusterIP,
      expected: { netfilter: '1*', ipvs: '1*', ...relayed },
    },
    ...EXTERNAL.flatMap((to): Row[] => [
      ...[POD, NODE_IP, OUTSIDE].map(
        (from): Row => ({ what: 'eTP Cluster', world: {}, from, to, expected: all('1* 2*') }),
      ),
      {
        what: 'eTP Cluster, no detector',
        world: noDetector,
        from: POD,
        to,
        expected: all('1* 2*'),
      },
      {
        what: 'eTP Local',
        world: local,
        from: POD,
        to,
        expected: { netfilter: '1 2', ipvs: '1', ...relayed },
      },
      {
        what: 'eTP Local',
        world: local,
        from: NODE_IP,
        to,
        expected: { netfilter: '1* 2*', ipvs: '1', ...relayed },
      },
      {
        what: 'eTP Local',
        world: local,
        from: OUTSIDE,
        to,
        expected: { netfilter: '1', ipvs: '1', ...relayed },
      },
      {
        what: 'eTP Local, no detector',
        world: { ...local, detector: false },
        from: POD,
        to,
        expected: { netfilter: '1', ipvs: '1', ...relayed },
      },
      {
        what: 'eTP Local, no detector',
        world: { ...local, detector: false },
        from: NODE_IP,
        to,
        expected: { netfilter: '1* 2*', ipvs: '1', ...relayed },
      },
    ]),
    {
      what: 'localhost, eTP Local',
      world: local,
      from: LOCALHOST,
      to: `127.0.0.1:${NODE_PORT}`,
      expected: { iptables: '1* 2*', nftables: 'PASS', ipvs: 'PASS', ...relayed },
    },
    { what: 'hairpin', world: {}, from: '10.0.1.1', to: TO.clusterIP, expected: all('1* 2') },
    {
      what: 'hairpin, eTP Local',
      world: local,
      from: '10.0.1.1',
      to: TO.vip,
      expected: { netfilter: '1* 2', ipvs: '1*', ...relayed },
    },
  ]);
});

describe('source ranges', () => {
  const listed = { ...LB, loadBalancerSourceRanges: ['192.168.0.0/24', ' 203.0.113.0/25'] };
  const other = { ...LB, loadBalancerSourceRanges: ['203.0.113.0/25'] };
  const world: World = { shape: listed };
  const open = '1* 2*';
  const guarded = { netfilter: 'DROP', ipvs: 'DROP', userspace: open };
  run([
    { what: 'listed', world, from: OUTSIDE, to: TO.vip, expected: all(open) },
    { what: 'not listed', world, from: BLOCKED, to: TO.vip, expected: guarded },
    { what: 'pods are blocked too', world, from: POD, to: TO.vip, expected: guarded },
    { what: 'node listed', world, from: NODE_IP, to: TO.vip, expected: all(open) },
    { what: 'VIP as source, node listed', world, from: VIP, to: TO.vip, expected: all(open) },
    {
      what: 'VIP as source, node not listed',
      world: { shape: other },
      from: VIP,
      to: TO.vip,
      expected: guarded,
    },
    { what: 'node port is open', world, from: BLOCKED, to: TO.nodePort, expected: all(open) },
    { what: 'external IP is open', world, from: BLOCKED, to: TO.externalIP, expected: all(open) },
    { what: 'ClusterIP is open', world, from: POD, to: TO.clusterIP, expected: all('1 2') },
    {
      what: 'ranges of the other family do not count',
      world: { shape: { ...LB, loadBalancerSourceRanges: ['fd00::/8'] } },
      from: BLOCKED,
      to: TO.vip,
      expected: all(open),
    },
  ]);
});

describe('node-port addresses', () => {
  const SECOND = '192.168.1.2';
  const nodeIPs = [NODE_IP, SECOND];
  const listing = (text: string): World => ({
    options: { nodeIPs, nodePortAddresses: parseNodePortAddresses(text) },
  });
  const to = (address: string): string => `${address}:${NODE_PORT}`;
  const open = '1* 2*';
  const localhostOnly = (expected: string): Row['expected'] => ({
    iptables: expected,
    nftables: 'PASS',
    ipvs: 'PASS',
    userspace: expected,
  });
  run([
    {
      what: 'default, primary',
      world: { options: { nodeIPs } },
      from: OUTSIDE,
      to: to(NODE_IP),
      expected: all(open),
    },
    {
      what: 'default, secondary',
      world: { options: { nodeIPs } },
      from: OUTSIDE,
      to: to(SECOND),
      expected: { iptables: open, nftables: 'PASS', ipvs: open, userspace: open },
    },
    {
      what: 'primary',
      world: listing('primary'),
      from: OUTSIDE,
      to: to(SECOND),
      expected: all('PASS'),
    },
    {
      what: 'primary',
      world: listing('primary'),
      from: LOCALHOST,
      to: to(LOCALHOST),
      expected: all('PASS'),
    },
    {
      what: 'listed',
      world: listing('192.168.1.0/24'),
      from: OUTSIDE,
      to: to(SECOND),
      expected: all(open),
    },
    {
      what: 'not listed',
      world: listing('192.168.1.0/24'),
      from: OUTSIDE,
      to: to(NODE_IP),
      expected: all('PASS'),
    },
    {
      what: 'not listed, no endpoints: the filter of iptables asks for no address',
      world: { ...listing('192.168.1.0/24'), endpoints: [] },
      from: OUTSIDE,
      to: to(NODE_IP),
      expected: { iptables: 'REJECT', nftables: 'PASS', ipvs: 'PASS', userspace: 'PASS' },
    },
    {
      what: 'list without loopback',
      world: listing('192.168.1.0/24'),
      from: LOCALHOST,
      to: to(LOCALHOST),
      expected: all('PASS'),
    },
    {
      what: 'list with loopback',
      world: listing('127.0.0.0/8'),
      from: LOCALHOST,
      to: to(LOCALHOST),
      expected: localhostOnly(open),
    },
    {
      what: 'a zero block',
      world: listing('0.0.0.0/0'),
      from: OUTSIDE,
      to: to(SECOND),
      expected: all(open),
    },
    {
      what: 'a zero block',
      world: listing('0.0.0.0/0'),
      from: LOCALHOST,
      to: to(LOCALHOST),
      expected: localhostOnly(open),
    },
    {
      what: 'only the other family',
      world: listing('fd00::/8'),
      from: OUTSIDE,
      to: to(SECOND),
      expected: all(open),
    },
    {
      what: 'localhost node ports off',
      world: { options: { localhostNodePorts: false } },
      from: LOCALHOST,
      to: to(LOCALHOST),
      expected: { netfilter: 'PASS', ipvs: 'PASS', userspace: open },
    },
    {
      what: 'another machine’s address',
      world: {},
      from: OUTSIDE,
      to: to('192.168.0.3'),
      expected: all('PASS'),
    },
  ]);
});

describe('load balancer addresses', () => {
  run([
    {
      what: 'ipMode Proxy',
      world: { shape: { ...LB, ingress: [{ ip: VIP, ipMode: 'Proxy' }] } },
      from: POD,
      to: TO.vip,
      expected: all('PASS'),
    },
    {
      what: 'ipMode VIP',
      world: { shape: { ...LB, ingress: [{ ip: VIP, ipMode: 'VIP' }] } },
      from: POD,
      to: TO.vip,
      expected: all('1* 2*'),
    },
    {
      what: 'headless',
      world: { shape: { clusterIP: 'None' } },
      from: POD,
      to: TO.clusterIP,
      expected: { iptables: 'PASS', nftables: 'DROP', ipvs: 'PASS', userspace: 'PASS' },
    },
    {
      what: 'port name mismatch',
      world: { shape: { ...LB, ports: [{ name: 'http', port: 80 }] } },
      from: POD,
      to: TO.clusterIP,
      expected: all('REJECT'),
    },
  ]);
});

describe('combinations', () => {
  const nodeHint = (name: string) => ({
    hints: { forNodes: [{ name }], forZones: [{ name: 'a' }] },
  });
  const sameNode = [
    endpoint('10.0.1.1', 'here', 'ready', nodeHint('here')),
    endpoint('10.0.2.2', 'far', 'ready', nodeHint('far')),
  ];
  const oneWithoutHint = [HINTED[0] ?? HERE, endpoint('10.0.2.2', 'far')];
  const drainingWithHints = [
    endpoint('10.0.1.1', 'here', 'terminating', hinted('b')),
    endpoint('10.0.2.2', 'far', 'terminating', hinted('a')),
  ];
  const ranges = ['203.0.113.0/25'];
  const clusterOnly: ServiceShape = { ...INTERNAL, externalTrafficPolicy: 'Local' };
  const viaExternalIP: ServiceShape = { ...clusterOnly, externalIPs: [EXTERNAL_IP] };
  const guardedLocal: World = {
    shape: { ...ETP_LOCAL, loadBalancerSourceRanges: ranges },
    endpoints: [FAR],
  };
  const relayed = { userspace: '1* 2*' };
  run([
    {
      what: 'hints for nodes come before those for zones',
      world: { endpoints: sameNode, zone: 'a' },
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '1', ipvs: '1', ...relayed },
    },
    {
      what: 'one ready endpoint without a hint',
      world: { endpoints: oneWithoutHint, zone: 'b' },
      from: POD,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'hints, but a node without a zone',
      world: { endpoints: HINTED },
      from: POD,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'no hint for this zone',
      world: { endpoints: HINTED, zone: 'c' },
      from: POD,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'terminating ones regardless of hints',
      world: { endpoints: drainingWithHints, zone: 'a' },
      from: POD,
      to: TO.clusterIP,
      expected: { netfilter: '1 2', ipvs: '1 2', userspace: 'REJECT' },
    },
    {
      what: 'published although not ready, and terminating',
      world: {
        endpoints: [
          endpoint('10.0.1.1', 'here', 'ready', {
            conditions: { ready: true, serving: false, terminating: true },
          }),
        ],
      },
      from: POD,
      to: TO.clusterIP,
      expected: all('1'),
    },
    {
      what: 'eTP Local means nothing without external addresses',
      world: { shape: clusterOnly },
      from: OUTSIDE,
      to: TO.clusterIP,
      expected: all('1* 2*'),
    },
    {
      what: 'eTP Local of a ClusterIP Service with external IPs',
      world: { shape: viaExternalIP },
      from: OUTSIDE,
      to: TO.externalIP,
      expected: { netfilter: '1', ipvs: '1', ...relayed },
    },
    {
      what: 'ranges before eTP Local: a pod that is not listed',
      world: guardedLocal,
      from: POD,
      to: TO.vip,
      expected: { netfilter: 'DROP', ipvs: 'DROP', userspace: '2*' },
    },
    {
      what: 'ranges and eTP Local, none here: a listed client',
      world: guardedLocal,
      from: OUTSIDE,
      to: TO.vip,
      expected: { netfilter: 'DROP', ipvs: '2', userspace: '2*' },
    },
    {
      what: 'ranges and eTP Local, none here: the node port is open to pods',
      world: guardedLocal,
      from: POD,
      to: TO.nodePort,
      expected: { netfilter: '2', ipvs: '2', userspace: '2*' },
    },
    {
      what: 'affinity does not change where a new client may go',
      world: { shape: { ...LB, sessionAffinity: 'ClientIP' } },
      from: POD,
      to: TO.clusterIP,
      expected: all('1 2'),
    },
    {
      what: 'SCTP',
      world: { shape: { ...LB, ports: [{ port: 80, protocol: 'SCTP' }] }, endpoints: [] },
      from: POD,
      to: `${TO.clusterIP}/sctp`,
      expected: { netfilter: 'REJECT', ipvs: 'REJECT', userspace: 'PASS' },
    },
    {
      what: 'bridge interface: what is not from a pod of this node',
      world: { options: { detectLocal: parseDetectLocal('bridge-interface=cni0', undefined) } },
      from: OUTSIDE,
      to: TO.clusterIP,
      expected: all('1* 2*'),
    },
    {
      what: 'node CIDR: a pod of another node is not local',
      world: {
        shape: ETP_LOCAL,
        options: { detectLocal: parseDetectLocal('node-cidr=10.0.1.0/24', undefined) },
      },
      from: '10.0.2.99',
      to: TO.vip,
      expected: { netfilter: '1', ipvs: '1', ...relayed },
    },
    {
      what: 'listed loopback is 127.0.0.1, not the whole block',
      world: { options: { nodePortAddresses: parseNodePortAddresses('127.0.0.0/8') } },
      from: LOCALHOST,
      to: `127.0.0.5:${NODE_PORT}`,
      expected: all('PASS'),
    },
    {
      what: 'a node port is not served at a Service address',
      world: {},
      from: POD,
      to: `${CLUSTER_IP}:${NODE_PORT}`,
      expected: { iptables: 'PASS', nftables: 'REJECT', ipvs: 'REJECT', userspace: 'PASS' },
    },
  ]);
});

describe('the other family', () => {
  const POD6 = 'fd00:244:1::99';
  const dual: ServiceShape = {
    ...LB,
    clusterIPs: [CLUSTER_IP, 'fd00:96::41'],
    externalIPs: [EXTERNAL_IP, '2001:db8:99::11'],
    ingress: [VIP, '2001:db8::4'],
    loadBalancerSourceRanges: ['2001:db8:7::/48'],
  };
  const options = {
    nodeIPs: [NODE_IP, 'fd00:18::2'],
    detectLocal: parseDetectLocal('cluster-cidr=10.0.0.0/8,fd00:244::/32', undefined),
  };

  async function ask6(mode: ProxyModeName, from: string, to: string): Promise<unknown> {
    const { verdict, endpoints } = await explainOffline(
      {
        services: [service(dual)],
        slices: [
          slice([HERE]),
          slice([endpoint('fd00:244:1::1', 'here'), endpoint('fd00:244:2::2', 'far')], {
            name: 'web-6',
            addressType: 'IPv6',
          }),
        ],
        nodes: [],
        nodeName: 'here',
        mode,
        masqueradeAll: false,
        localhostNodePorts: true,
        nodePortAddresses: 'default',
        serviceCIDRs: [],
        ...options,
      },
      parseFlow(from, to),
    );
    return verdict === 'forward' ? endpoints.map(({ snat }) => snat) : verdict;
  }

  test.each<[string, string, string, unknown, unknown?]>([
    ['a pod to the cluster IP', POD6, '[fd00:96::41]:80', [false, false]],
    ['hairpin', 'fd00:244:1::1', '[fd00:96::41]:80', [true, false]],
    ['from outside the ranges', '2001:db8:8::1', '[2001:db8::4]:80', 'drop', [true, true]],
    ['from inside the ranges', '2001:db8:7::1', '[2001:db8::4]:80', [true, true]],
    ['the external IP', '2001:db8:8::1', '[2001:db8:99::11]:80', [true, true]],
    ['the node port', '2001:db8:8::1', `[fd00:18::2]:${NODE_PORT}`, [true, true]],
    ['the node port on loopback', '::1', `[::1]:${NODE_PORT}`, 'pass'],
    // Ranges of IPv6 say nothing about IPv4.
    ['IPv4', BLOCKED, TO.vip, [true]],
  ])('%s', async (_, from, to, expected, userspace) => {
    for (const mode of ['iptables', 'nftables', 'ipvs'] as const)
      expect([mode, await ask6(mode, from, to)]).toEqual([mode, expected]);
    const relayed = Array.isArray(expected) ? expected.map(() => true) : expected;
    expect(await ask6('userspace', from, to)).toEqual(userspace ?? relayed);
  });
});
