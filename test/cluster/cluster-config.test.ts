import { describe, expect, test } from 'vitest';
import { formatCidr } from '../../src/base/ip.ts';
import { type ClusterConfigInput, resolveClusterConfig } from '../../src/cluster/cluster-config.ts';
import { nodeAddress } from '../../src/cluster/networking-settings.ts';

function fieldsRefused(input: ClusterConfigInput): string[] {
  const outcome = resolveClusterConfig(input, 'seed');
  return outcome.kind === 'ok' ? [] : outcome.errors.map(({ field }) => field);
}

test('the defaults are the loopback plan', () => {
  const outcome = resolveClusterConfig({}, 'a-seed');
  if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome.errors));
  const { config } = outcome;
  expect(formatCidr(config.podSubnet)).toBe('127.244.0.0/16');
  expect(config.clusterDNS).toBe('127.96.0.10');
  expect(nodeAddress(config, 0)).toBe('127.18.0.2');
  expect(config.seed).toBe('a-seed');
  expect(Object.isFrozen(config)).toBe(true);
});

test.each([
  [undefined, ''],
  ['none', ''],
  ['/etc/resolv.conf', '/etc/resolv.conf'],
  ['192.0.2.53, [2001:db8::53]:5353', '192.0.2.53 [2001:db8::53]:5353'],
])('dnsUpstream %s is forwarded to "%s"', (dnsUpstream, expected) => {
  const networking = dnsUpstream === undefined ? {} : { dnsUpstream };
  const outcome = resolveClusterConfig({ networking }, 'seed');
  expect(outcome.kind === 'ok' ? outcome.config.dnsUpstream : outcome.errors).toBe(expected);
});

describe('a config that cannot work names every field at fault', () => {
  test.each<[string, ClusterConfigInput, string[]]>([
    ['no nodes', { nodes: 0 }, ['nodes']],
    ['unknown mode', { proxyMode: 'ebpf' }, ['proxyMode']],
    ['unknown engine', { engine: 'steam' }, ['engine']],
    ['unknown detector', { kubeProxy: { detectLocal: 'guess' } }, ['kubeProxy.detectLocal']],
    [
      'no node-port blocks',
      { kubeProxy: { nodePortAddresses: 'eth0' } },
      ['kubeProxy.nodePortAddresses'],
    ],
    ['no forwarding thread', { engineThreads: 0 }, ['engineThreads']],
    ['threads of an engine without any', { engine: 'net', engineThreads: 2 }, ['engineThreads']],
    ['unknown scheduler', { kubeProxy: { ipvsScheduler: 'best' } }, ['kubeProxy.ipvsScheduler']],
    [
      'the mode of a node that is not there',
      { nodes: 2, kubeProxy: { nodeModes: { 'node-3': 'ipvs', 'node-1': 'ebpf' } } },
      ['kubeProxy.nodeModes.node-3', 'kubeProxy.nodeModes.node-1'],
    ],
    [
      'an upstream by name',
      { networking: { dnsUpstream: 'dns.example' } },
      ['networking.dnsUpstream'],
    ],
    ['not a CIDR', { networking: { podSubnet: 'pods' } }, ['networking.podSubnet']],
    ['host bits', { networking: { podSubnet: '127.244.0.1/16' } }, ['networking.podSubnet']],
    ['IPv6', { networking: { serviceSubnet: 'fd00::/108' } }, ['networking.serviceSubnet']],
    [
      'pods inside Services',
      { networking: { podSubnet: '127.96.128.0/17' } },
      ['networking.serviceSubnet'],
    ],
    [
      'node CIDRs that do not fit',
      { nodes: 5, networking: { podSubnet: '127.244.0.0/22' } },
      ['networking.nodeCIDRMaskSize'],
    ],
    [
      'a node CIDR larger than the pod subnet',
      { networking: { nodeCIDRMaskSize: 8 } },
      ['networking.nodeCIDRMaskSize'],
    ],
    [
      'too few node addresses',
      { nodes: 9, networking: { nodeSubnet: '127.18.0.0/29', loadBalancerPool: '127.19.0.0/24' } },
      ['networking.nodeSubnet'],
    ],
    [
      'a pool that holds nodes',
      { networking: { loadBalancerPool: '127.18.0.0/24' } },
      ['networking.loadBalancerPool'],
    ],
    [
      'DNS outside Services',
      { networking: { clusterDNS: '127.1.1.1' } },
      ['networking.clusterDNS'],
    ],
    ['DNS that is no address', { networking: { clusterDNS: 'dns' } }, ['networking.clusterDNS']],
    ['a bad domain', { networking: { dnsDomain: 'Cluster_Local' } }, ['networking.dnsDomain']],
    ['a bad port range', { networking: { nodePortRange: '5-1' } }, ['networking.nodePortRange']],
    [
      'a bad listen address',
      { networking: { dnsHostAddress: '127.0.0.1' } },
      ['networking.dnsHostAddress'],
    ],
    [
      'several at once',
      { nodes: -1, networking: { podSubnet: 'x', dnsDomain: '-', nodePortRange: 'all' } },
      ['nodes', 'networking.podSubnet', 'networking.dnsDomain', 'networking.nodePortRange'],
    ],
  ])('%s', (_, input, fields) => expect(fieldsRefused(input)).toEqual(fields));

  test('messages say what would do', () => {
    const outcome = resolveClusterConfig({ networking: { podSubnet: '127.244.0.1/16' } }, 's');
    expect(outcome).toMatchObject({
      errors: [{ message: expect.stringContaining('did you mean 127.244.0.0/16?') as string }],
    });
  });
});
