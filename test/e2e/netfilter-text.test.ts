// What iptables-save and `nft list ruleset` show on a node is accepted by the real tools, and is what they
// print themselves once the kernel has it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { IpFamilyName, Service } from '../../src/api/types/core.ts';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import { parseManifest } from '../../src/api/manifest.ts';
import { IPVS_NODE_PORTS } from '../../src/proxy/modes/ipvs-mode.ts';
import { NodeView, nodeContext } from '../../src/proxy/node-context.ts';
import { renderIpsetSave } from '../../src/proxy/render/ipset.ts';
import { ipvsIpsets, listIpsets } from '../../src/proxy/render/ipvs-ipsets.ts';
import { ipvsRules } from '../../src/proxy/render/ipvs-rules.ts';
import { iptablesRules } from '../../src/proxy/render/iptables-rules.ts';
import { renderIptablesSave } from '../../src/proxy/render/iptables-save.ts';
import { userspaceRules } from '../../src/proxy/render/userspace-rules.ts';
import { renderNftRuleset } from '../../src/proxy/render/nft-ruleset.ts';
import { buildRoutingTable } from '../../src/services/routing-state.ts';
import type { RoutingTable } from '../../src/services/routing-table.ts';
import { cidr } from '../ipam/addresses.ts';
import { endpoint, service, type ServiceShape, slice } from '../services/objects.ts';
import { namespaceObstacle, NetworkNamespace } from './network-namespace.ts';

const GUESTBOOK = resolve(import.meta.dirname, '../../examples/guestbook.yaml');
const NODE = { nodeName: 'here', zone: '' };

function obstacle(): string | undefined {
  for (const tool of ['iptables-restore', 'ip6tables-restore', 'ipset', 'nft'])
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  return namespaceObstacle();
}

const skipped = obstacle();
if (skipped !== undefined) process.stderr.write(`netfilter-text skipped: ${skipped}\n`);

/** The Services of the example with addresses and two endpoints each, as a cluster gives them. */
function guestbook(): RoutingTable {
  const { objects } = parseManifest(readFileSync(GUESTBOOK, 'utf8'), GUESTBOOK);
  const services = objects
    .filter(({ served }) => served.kind.kind === 'Service')
    .map(({ object }, index) => {
      const { metadata, spec } = object as unknown as Service;
      return service({ ...spec, name: metadata.name ?? '', clusterIP: `10.96.0.${index + 1}` });
    });
  expect(services).toHaveLength(3);
  const slices = services.map(({ metadata }, index) =>
    slice([endpoint(`10.244.1.${index + 2}`, 'here'), endpoint(`10.244.2.${index + 2}`, 'far')], {
      service: metadata.name ?? '',
    }),
  );
  return buildRoutingTable(NODE, { services, slices });
}

/** One Service of every kind that has rules of its own. */
function everything(family: IpFamilyName): RoutingTable {
  const v6 = family === 'IPv6';
  const ip = (text: string): string => (v6 ? `2001:db8::${text.replaceAll('.', ':')}` : text);
  const pods = ['10.244.1.4', '10.244.1.5', '10.244.2.6'].map(ip);
  const here = pods.map((address, index) => endpoint(address, index === 1 ? 'here' : 'far'));
  const far = [endpoint(ip('10.244.2.7'), 'far')];
  const shapes: [ServiceShape, EndpointSlice['endpoints']][] = [
    [{}, here],
    [
      {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30_000,
        ports: [{ port: 80, nodePort: 30_001 }],
        externalIPs: [ip('192.0.2.22')],
        ingress: [ip('1.2.3.4')],
      },
      far,
    ],
    [
      {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        ports: [{ port: 80, nodePort: 30_002 }],
        ingress: [ip('1.2.3.5')],
      },
      here,
    ],
    [
      {
        type: 'LoadBalancer',
        ports: [{ port: 80, nodePort: 30_003 }],
        ingress: [ip('5.6.7.8')],
        sessionAffinity: 'ClientIP',
        loadBalancerSourceRanges: v6
          ? ['2001:db8:1::/48', '2001:db8:9::/48']
          : ['203.0.113.0/25', '192.168.0.0/24'],
      },
      here,
    ],
    [{ type: 'NodePort', ports: [{ port: 53, nodePort: 30_004, protocol: 'UDP' }] }, []],
    [{ type: 'NodePort', ports: [{ port: 132, nodePort: 30_005, protocol: 'SCTP' }] }, []],
    [{ internalTrafficPolicy: 'Local' }, far],
    [{ internalTrafficPolicy: 'Local' }, here],
  ];
  const services = shapes.map(([shape], index) =>
    service({ ...shape, name: `svc-${index}`, clusterIP: ip(`10.96.0.${index + 10}`) }),
  );
  const slices = shapes.map(([, endpoints], index) =>
    slice([...(endpoints ?? [])], { service: `svc-${index}`, addressType: family }),
  );
  return buildRoutingTable(NODE, { services, slices });
}

const context = nodeContext({
  nodeIPs: ['192.168.0.2', '2001:db8:1::2'],
  detectLocal: { mode: 'ClusterCIDR', cidrs: [cidr('10.244.0.0/16'), cidr('2001:db8:2::/48')] },
  serviceCIDRs: [cidr('10.96.0.0/12'), cidr('2001:db8:3::/108')],
});

describe.skipIf(skipped !== undefined)('netfilter text', () => {
  let namespace: NetworkNamespace | undefined;
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-netfilter-'));
  });

  beforeEach(() => {
    namespace = new NetworkNamespace('netfilter');
  });

  afterEach(() => namespace?.remove());

  afterAll(() => rmSync(folder, { recursive: true }));

  function run(command: string, input: string): string {
    const file = join(folder, 'input');
    writeFileSync(file, input);
    return namespace?.run(command.replace('INPUT', file)) ?? '';
  }

  /** Without dates and counters. */
  function rulesOf(text: string): string[] {
    return text
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.replace(/\[\d+:\d+\]$/, '[0:0]'));
  }

  test('iptables-restore --test accepts the guestbook', () => {
    const text = renderIptablesSave(iptablesRules(guestbook(), context), new Date(0));
    expect(run('iptables-restore --test INPUT 2>&1', text)).toBe('');
    expect(run('iptables-legacy-restore --test INPUT 2>&1', text)).toBe('');
  });

  test('nft -c accepts the guestbook', () => {
    expect(run('nft -c -f INPUT 2>&1', renderNftRuleset(guestbook(), context))).toBe('');
  });

  test.each([
    ['IPv4', 'iptables'],
    ['IPv6', 'ip6tables'],
  ] as const)('%s: %s-save prints the same rules', (family, tool) => {
    const text = renderIptablesSave(
      iptablesRules(everything(family), context, family),
      new Date(0),
    );
    const printed = run(`${tool}-restore INPUT && ${tool}-save`, text);
    expect(rulesOf(printed)).toEqual(rulesOf(text));
  });

  test.each([
    ['IPv4', 'iptables'],
    ['IPv6', 'ip6tables'],
  ] as const)('%s: ipset and %s-save print the rules of ipvs mode', (family, tool) => {
    const sets = ipvsIpsets(everything(family), new NodeView(context, IPVS_NODE_PORTS), family);
    const setText = renderIpsetSave(listIpsets(sets, family));
    const members = run('ipset restore -f INPUT && ipset save -sorted', setText)
      .split('\n')
      .map((line) => line.replace(/ bucketsize .*/, ''));
    expect(members.toSorted()).toEqual(setText.split('\n').toSorted());
    const text = renderIptablesSave(ipvsRules(everything(family), context, family), new Date(0));
    const printed = run(`${tool}-restore INPUT && ${tool}-save`, text);
    expect(rulesOf(printed)).toEqual(rulesOf(text));
  });

  test.each([
    ['IPv4', 'iptables'],
    ['IPv6', 'ip6tables'],
  ] as const)('%s: %s-save prints the portals of userspace mode', (family, tool) => {
    const text = renderIptablesSave(
      userspaceRules(everything(family), context, () => 40_001, family),
      new Date(0),
      ['nat', 'filter'],
    );
    const printed = run(
      `${tool}-restore INPUT && ${tool}-save -t filter && ${tool}-save -t nat`,
      text,
    );
    expect(rulesOf(printed)).toEqual(rulesOf(text));
  });

  test.each(['IPv4', 'IPv6'] as const)('%s: nft list ruleset prints the same text', (family) => {
    const text = renderNftRuleset(everything(family), context, [family]);
    expect(run('nft -f INPUT && nft list ruleset', text)).toBe(text);
  });
});
