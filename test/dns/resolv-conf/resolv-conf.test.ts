import { describe, expect, test } from 'vitest';
import {
  formatResolvConf,
  parseResolvConf,
  podResolvConf,
  type ResolvConfInput,
} from '../../../src/dns/resolv-conf/resolv-conf.ts';

const HOST = parseResolvConf(
  'nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch ignored.example\nsearch host.example. other.example\noptions edns0 timeout:1\n',
);

type Spec = ResolvConfInput['pod']['spec'];

function build(
  spec: Spec,
  parts: Partial<ResolvConfInput> = {},
): { file: string; events: string[] } {
  const { conf, events } = podResolvConf({
    pod: { namespace: 'shop', spec },
    clusterDns: ['127.96.0.10'],
    clusterDomain: 'cluster.local',
    host: HOST,
    ...parts,
  });
  return {
    file: formatResolvConf(conf),
    events: events.map(({ reason, message }) => `${reason}: ${message}`),
  };
}

const CLUSTER =
  'search shop.svc.cluster.local svc.cluster.local cluster.local host.example other.example\nnameserver 127.96.0.10\noptions ndots:5\n';
const DEFAULT =
  'search host.example other.example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions edns0 timeout:1\n';

describe('a pod with', () => {
  const rows: readonly (readonly [string, Spec, string])[] = [
    ['no policy', {}, CLUSTER],
    ['ClusterFirst', { dnsPolicy: 'ClusterFirst' }, CLUSTER],
    ['ClusterFirst on the host network', { dnsPolicy: 'ClusterFirst', hostNetwork: true }, DEFAULT],
    [
      'ClusterFirstWithHostNet',
      { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true },
      CLUSTER,
    ],
    ['Default', { dnsPolicy: 'Default' }, DEFAULT],
    [
      'None',
      {
        dnsPolicy: 'None',
        dnsConfig: {
          nameservers: ['192.0.2.9'],
          searches: ['a.example'],
          options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
        },
      },
      'search a.example\nnameserver 192.0.2.9\noptions ndots:2 rotate\n',
    ],
    [
      'ClusterFirst and its own settings, merged',
      {
        dnsConfig: {
          nameservers: ['127.96.0.10', '192.0.2.9'],
          searches: ['cluster.local', 'a.example'],
          options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
        },
      },
      'search shop.svc.cluster.local svc.cluster.local cluster.local host.example other.example a.example\nnameserver 127.96.0.10\nnameserver 192.0.2.9\noptions ndots:2 edns0\n',
    ],
  ];
  test.each(rows)('%s', (_, spec, file) => {
    expect(build(spec)).toEqual({ file, events: [] });
  });

  test('no cluster DNS falls back to the host, with an event', () => {
    const { file, events } = build({}, { clusterDns: [] });
    expect(file).toBe(DEFAULT);
    expect(events).toEqual([
      expect.stringMatching(/^MissingClusterDNS: .*"ClusterFirst".*"Default"$/),
    ]);
  });

  test('no host file at all still gets one', () => {
    const { conf } = podResolvConf({
      pod: { namespace: 'shop', spec: { dnsPolicy: 'Default' } },
      clusterDns: [],
      clusterDomain: '',
    });
    expect(formatResolvConf(conf)).toBe('search .\nnameserver 127.0.0.1\n');
  });
});

describe('limits', () => {
  test('three name servers, the rest is left out with an event', () => {
    const { file, events } = build({
      dnsConfig: { nameservers: ['192.0.2.3', '192.0.2.4', '192.0.2.5'] },
    });
    expect(file.match(/^nameserver/gm)).toHaveLength(3);
    expect(events).toEqual([
      'DNSConfigForming: Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 127.96.0.10 192.0.2.3 192.0.2.4',
    ]);
  });

  test.each([
    ['32 domains', Array.from({ length: 40 }, (_, index) => `d${index}.example`), 32],
    ['2048 characters', Array.from({ length: 20 }, (_, index) => `${index}${'a'.repeat(199)}`), 10],
    ['253 characters each', ['b'.repeat(254), 'c.example'], 1],
  ])('%s', (_, searches, kept) => {
    const { file, events } = build({
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['192.0.2.9'], searches },
    });
    expect(file.split('\n')[0]?.split(' ').slice(1)).toHaveLength(kept);
    expect(events).toEqual([
      expect.stringMatching(/^DNSConfigForming: Search Line limits were exceeded/),
    ]);
  });
});
