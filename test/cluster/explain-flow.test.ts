import { describe, expect, test } from 'vitest';
import { type ExplainFlags, explainFlow } from '../../src/cluster/explain-flow.ts';

const MANIFEST = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.96.0.10, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: List
items:
  - apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
    addressType: IPv4
    ports: [{ name: http, port: 8080, protocol: TCP }]
    endpoints:
      - { addresses: [10.244.1.10], nodeName: node-1, conditions: { ready: true } }
      - { addresses: [10.244.2.10], nodeName: node-2 }
  - apiVersion: v1
    kind: Node
    metadata: { name: node-1 }
    spec: { podCIDR: 10.244.1.0/24 }
    status: { addresses: [{ type: InternalIP, address: 192.0.2.10 }] }
  - apiVersion: v1
    kind: ConfigMap
    metadata: { name: of-no-interest }
`;

const FLAGS: ExplainFlags = {
  node: 'node-1',
  nodeIPs: [],
  proxyMode: 'iptables',
  from: '10.244.1.20',
  to: '10.96.0.10:80',
  masqueradeAll: false,
  localhostNodePorts: true,
};

function ask(flags: Partial<ExplainFlags> = {}, text: string = MANIFEST) {
  return explainFlow([{ path: 'cluster.yaml', text }], { ...FLAGS, ...flags });
}

describe('explainFlow', () => {
  test('answers from manifests', async () => {
    expect(await ask()).toMatchObject({
      kind: 'explained',
      warnings: [],
      explanation: {
        verdict: 'forward',
        endpoints: [
          { address: '10.244.1.10:8080', probability: 0.5, snat: false },
          { address: '10.244.2.10:8080', probability: 0.5, snat: false },
        ],
        steps: [
          { text: 'nat KUBE-SERVICES: 10.96.0.10:80/TCP is a cluster IP' },
          { text: 'cluster endpoints', details: { usable: 2, known: 2 } },
          {
            text: 'statistic rule 1 of 2',
            details: { endpoint: '10.244.1.10:8080', probability: 0.5 },
          },
          {
            text: 'statistic rule 2 of 2',
            details: { endpoint: '10.244.2.10:8080', probability: 1 },
          },
        ],
      },
    });
  });

  // Slots are known answers: hash_32 of 10.244.1.7 and 10.96.0.10, hsiphash of 10.244.1.7 + 5555.
  test.each([
    ['sh', { hash: 'hash_32', input: 0x0af4_0107, slot: 54, slots: 256 }],
    ['sh,sh-port', { hash: 'hash_32', input: 0x0af4_0107 + 5555, slots: 256 }],
    ['dh', { hash: 'hash_32', input: 0x0a60_000a, slot: 242, slots: 256 }],
    ['mh', { hash: 'hsiphash', input: 0x0af4_0107 + 5555, slot: 1556, slots: 4093 }],
    ['mh,mh-fallback', { hash: 'hsiphash', input: 0x0af4_0107, slots: 4093 }],
  ])('--ipvs-scheduler %s: the hash input and its slot', async (ipvsScheduler, details) => {
    const question = { proxyMode: 'ipvs', ipvsScheduler, from: '10.244.1.7:5555' };
    expect(await ask(question)).toMatchObject({
      explanation: {
        verdict: 'forward',
        steps: expect.arrayContaining([
          expect.objectContaining({
            text: 'hash',
            details: expect.objectContaining(details) as object,
          }),
        ]) as object,
      },
    });
  });

  test.each(['lc', 'rr'])(
    '--ipvs-scheduler %s: the counters of every real server',
    async (ipvsScheduler) => {
      const outcome = await ask({ proxyMode: 'ipvs', ipvsScheduler });
      const steps = outcome.kind === 'explained' ? outcome.explanation.steps : [];
      const compared = steps.filter(({ text }) => text === 'real server compared');
      expect(compared.map(({ details }) => String(details?.['destination'])).toSorted()).toEqual([
        '10.244.1.10:8080',
        '10.244.2.10:8080',
      ]);
    },
  );

  test.each([
    ['cluster-cidr=10.0.0.0/8', '10.244.2.20', false],
    ['node-cidr', '10.244.2.20', true],
    ['node-cidr', '10.244.1.20', false],
    ['bridge-interface=cni0', '10.244.2.20', true],
    ['interface-name-prefix=veth', '10.244.1.20', false],
    ['ClusterCIDR=10.0.0.0/8', '192.0.2.77', true],
    ['none', '192.0.2.77', false],
  ])('--detect-local %s, from %s: SNAT %s', async (detectLocal, from, snat) => {
    expect(await ask({ detectLocal, from })).toMatchObject({
      explanation: { endpoints: [{ snat }, { snat }] },
    });
  });

  test('an interface detector knows the endpoints of its node, whatever the pod CIDR', async () => {
    const moved = MANIFEST.replace('podCIDR: 10.244.1.0/24', 'podCIDR: 10.9.9.0/24');
    for (const [from, snat] of [
      ['10.244.1.10', [true, false]],
      ['10.244.2.10', [true, true]],
    ] as const)
      expect(await ask({ detectLocal: 'bridge-interface=cni0', from }, moved)).toMatchObject({
        explanation: { endpoints: snat.map((one) => ({ snat: one })) },
      });
  });

  test('lists as the API serves them: the kind of the items stands in the list', async () => {
    const service = {
      metadata: { name: 'web' },
      spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] },
    };
    const slice = {
      metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080 }],
      endpoints: [{ addresses: ['10.244.1.10'], conditions: { ready: null } }],
    };
    const lists = [
      { apiVersion: 'v1', kind: 'ServiceList', items: [service] },
      { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSliceList', items: [slice] },
      { apiVersion: 'v1', kind: 'NodeList', items: [{ metadata: { name: 'node-1' } }] },
    ];
    const text = lists.map((list) => JSON.stringify(list)).join('\n---\n');
    expect(await ask({}, text)).toMatchObject({
      explanation: { endpoints: [{ address: '10.244.1.10:8080', probability: 1 }] },
    });
  });

  test('a node whose addresses are given needs no Node', async () => {
    expect(await ask({ node: 'node-9', nodeIPs: ['192.0.2.9'] })).toMatchObject({
      kind: 'explained',
    });
  });

  test('--nodeport-addresses all: the secondary address too, but no loopback in nftables', async () => {
    const exposed = MANIFEST.replace('port: 80 }', 'port: 80, nodePort: 30080 }');
    const question = {
      proxyMode: 'nftables',
      nodeIPs: ['192.0.2.10', '192.0.2.11'],
      nodePortAddresses: 'all',
    };
    const verdictAt = async (to: string): Promise<string> => {
      const outcome = await ask({ ...question, to }, exposed);
      return outcome.kind === 'explained' ? outcome.explanation.verdict : outcome.kind;
    };
    expect(await verdictAt('192.0.2.11:30080')).toBe('forward');
    expect(await verdictAt('127.0.0.1:30080')).toBe('pass');
  });

  test('in the loopback plan only 127.0.0.1 is the node itself', async () => {
    const moved = MANIFEST.replaceAll('10.244.', '127.244.').replaceAll('192.0.2.', '127.18.0.');
    const outcome = await ask(
      { from: '127.244.1.20', detectLocal: 'cluster-cidr=127.244.0.0/16' },
      moved,
    );
    expect(outcome).toMatchObject({
      explanation: { endpoints: [{ snat: false }, { snat: false }] },
    });
  });

  test.each([
    [{ proxyMode: 'ebpf' }, '--proxy-mode: "ebpf" is no proxy mode; use one of iptables'],
    [{ node: 'node-9' }, '--node: "node-9" is not among the Nodes: node-1'],
    [{ nodeIPs: ['192.0.2'] }, '--node-ip: "192.0.2" is no IP address'],
    [{ to: '10.96.0.10' }, '--to: "10.96.0.10" names no port'],
    [{ to: '10.96.0.10:80/icmp' }, '--to: "icmp" is no protocol'],
    [{ to: '10.96.0.10:70000' }, '--to: port 70000 is out of range'],
    [{ from: 'client' }, '--from: "client" is no address'],
    [{ from: '2001:db8::1' }, '--from: "2001:db8::1" and "10.96.0.10:80" are of different IP'],
    [{ detectLocal: 'bridge-interface' }, '--detect-local: bridge-interface needs a name'],
    [{ detectLocal: 'magic' }, '--detect-local: "magic" is no detector'],
    [{ detectLocal: 'cluster-cidr=10.0.0.0' }, '--detect-local: "10.0.0.0" is no block'],
    [{ nodePortAddresses: 'eth0' }, '--nodeport-addresses: "eth0" is no block'],
    [{ ipvsScheduler: 'fastest' }, '--ipvs-scheduler: scheduler "fastest" is unknown'],
  ])('%j is refused', async (flags, problem) => {
    expect(await ask(flags)).toMatchObject({
      kind: 'invalid',
      problems: [expect.stringContaining(problem)],
    });
  });

  test('says where a manifest is wrong, and leaves unknown kinds alone', async () => {
    const wrong = `${MANIFEST}\n---\napiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { ports: 80 }\n`;
    expect(await ask({}, wrong)).toMatchObject({
      kind: 'invalid',
      problems: [expect.stringContaining('cluster.yaml:28: Service: ')],
    });
    const more = `${MANIFEST}\n---\napiVersion: example.org/v1\nkind: Widget\nmetadata: { name: x }\n`;
    expect(await ask({}, more)).toMatchObject({
      kind: 'explained',
      warnings: [expect.stringContaining('Widget')],
    });
  });
});
