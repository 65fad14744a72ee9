import { describe, expect, test } from 'vitest';
import { formatCidr } from '../../src/base/ip.ts';
import { servicePortInfos } from '../../src/services/service-port-info.ts';
import { service, type ServiceShape } from './objects.ts';

const infos = (shape: ServiceShape) => servicePortInfos(service(shape));

describe('servicePortInfos', () => {
  test.each<[string, ServiceShape]>([
    ['headless', { clusterIP: 'None' }],
    ['without a cluster IP', { clusterIP: '' }],
    [
      'ExternalName, even with a stale cluster IP',
      { type: 'ExternalName', externalName: 'example.org' },
    ],
    ['of another proxy', { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } }],
    ['labelled headless', { labels: { 'service.kubernetes.io/headless': '' } }],
  ])('ignores a Service %s', (_, shape) => {
    expect(infos(shape)).toEqual([]);
  });

  test('TCP and UDP on one port number are two units', () => {
    const found = infos({
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53 },
      ],
    });
    expect(found.map(({ name }) => [name.port, name.protocol])).toEqual([
      ['dns', 'UDP'],
      ['dns-tcp', 'TCP'],
    ]);
  });

  test('keeps the families apart', () => {
    const found = infos({
      type: 'LoadBalancer',
      clusterIPs: ['10.96.0.10', '2001:db8::10'],
      externalIPs: ['203.0.113.7', '2001:DB8:0::7'],
      ingress: ['198.51.100.4', '2001:db8::4'],
      loadBalancerSourceRanges: [' 203.0.113.0/25', '2001:db8::/32', 'nonsense'],
    });
    expect(
      found.map((info) => [
        info.family,
        info.clusterIP,
        info.externalIPs,
        info.loadBalancerVIPs,
        info.loadBalancerSourceRanges.map(formatCidr),
      ]),
    ).toEqual([
      ['IPv4', '10.96.0.10', ['203.0.113.7'], ['198.51.100.4'], ['203.0.113.0/25']],
      ['IPv6', '2001:db8::10', ['2001:db8::7'], ['2001:db8::4'], ['2001:db8::/32']],
    ]);
  });

  test('reads leading zeros as decimal, as Kubernetes still does', () => {
    expect(infos({ clusterIP: '010.096.0.010' })[0]?.clusterIP).toBe('10.96.0.10');
  });

  test.each<[ServiceShape, Partial<ReturnType<typeof infos>[number]>]>([
    [{ externalTrafficPolicy: 'Local' }, { externalPolicyLocal: false }],
    [
      { externalTrafficPolicy: 'Local', externalIPs: ['203.0.113.7'] },
      { externalPolicyLocal: true, usesLocalEndpoints: true, usesClusterEndpoints: true },
    ],
    [
      { type: 'NodePort', externalTrafficPolicy: 'Local' },
      { externalPolicyLocal: true, externallyAccessible: false, usesLocalEndpoints: false },
    ],
    [{ internalTrafficPolicy: 'Local' }, { usesClusterEndpoints: false, usesLocalEndpoints: true }],
    [
      { type: 'NodePort', internalTrafficPolicy: 'Local', ports: [{ port: 80, nodePort: 30_001 }] },
      { usesClusterEndpoints: true, usesLocalEndpoints: true },
    ],
    [{ type: 'LoadBalancer', healthCheckNodePort: 32_000 }, { healthCheckNodePort: 0 }],
    [
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 },
      { healthCheckNodePort: 32_000 },
    ],
    [
      { type: 'LoadBalancer', ingress: [{ ip: '198.51.100.4', ipMode: 'Proxy' }] },
      { loadBalancerVIPs: [] },
    ],
    [{ type: 'NodePort', ingress: ['198.51.100.4'] }, { loadBalancerVIPs: ['198.51.100.4'] }],
    [{ sessionAffinity: 'ClientIP' }, { affinityTimeoutSeconds: 10_800 }],
    [
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } },
      { affinityTimeoutSeconds: 7 },
    ],
    [
      { sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } },
      { affinityTimeoutSeconds: 0 },
    ],
  ])('%j means %j', (shape, expected) => {
    expect(infos(shape)[0]).toMatchObject(expected);
  });
});
