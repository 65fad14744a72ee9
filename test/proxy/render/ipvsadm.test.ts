import { describe, expect, test } from 'vitest';
import type { ConnectionListing, ServiceListing } from '../../../src/proxy/ipvs/listing.ts';
import {
  renderIpvsadmConnections,
  renderIpvsadmList,
  renderIpvsadmRates,
  renderIpvsadmStats,
} from '../../../src/proxy/render/ipvsadm.ts';

const NO_TRAFFIC = { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };

function listing(
  protocol: 'TCP' | 'UDP',
  address: string,
  port: number,
  more: Partial<ServiceListing> = {},
): ServiceListing {
  return {
    id: { kind: 'address', protocol, address, port },
    scheduler: 'rr',
    schedulerFlags: { fallback: false, port: false },
    persistence: undefined,
    onePacket: false,
    traffic: NO_TRAFFIC,
    rates: NO_TRAFFIC,
    destinations: [],
    ...more,
  };
}

function server(address: string, active = 0, inactive = 0): ServiceListing['destinations'][number] {
  return {
    address,
    port: 8080,
    weight: 1,
    activeConnections: active,
    inactiveConnections: inactive,
    persistentConnections: 0,
    upperThreshold: 0,
    lowerThreshold: 0,
    overloaded: false,
    traffic: { ...NO_TRAFFIC, connections: 3, bytesIn: 123_456_789 },
    rates: { ...NO_TRAFFIC, connections: 7, bytesOut: 1_500_000_000 },
  };
}

describe('ipvsadm', () => {
  const services = [
    listing('UDP', '10.96.0.10', 53),
    listing('TCP', '10.96.0.10', 80, {
      scheduler: 'mh',
      schedulerFlags: { fallback: false, port: true },
      persistence: { timeoutMs: 10_800_000, netmask: 0xffff_ffff },
      destinations: [server('10.244.2.7'), server('10.244.1.7', 12, 3)],
    }),
    listing('TCP', '10.96.0.1', 443),
  ];

  test('-Ln sorts by protocol and address', () => {
    expect(renderIpvsadmList(services)).toBe(
      [
        'IP Virtual Server version 1.2.1 (size=4096)',
        'Prot LocalAddress:Port Scheduler Flags',
        '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
        'TCP  10.96.0.1:443 rr',
        'TCP  10.96.0.10:80 mh (mh-port) persistent 10800',
        '  -> 10.244.1.7:8080              Masq    1      12         3         ',
        '  -> 10.244.2.7:8080              Masq    1      0          0         ',
        'UDP  10.96.0.10:53 rr',
        '',
      ].join('\n'),
    );
  });

  test('--nosort keeps the kernel’s order', () => {
    const lines = renderIpvsadmList(services, { sort: false }).split('\n');
    expect(lines[3]).toBe('UDP  10.96.0.10:53 rr');
    expect(lines[5]).toContain('10.244.2.7');
  });

  test('--stats shortens large numbers', () => {
    expect(renderIpvsadmStats(services).split('\n').slice(1, 6)).toEqual([
      'Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes',
      '  -> RemoteAddress:Port',
      'TCP  10.96.0.1:443                       0        0        0        0        0',
      'TCP  10.96.0.10:80                       0        0        0        0        0',
      '  -> 10.244.1.7:8080                     3        0        0  123456K        0',
    ]);
  });

  test('--rate shows the same a second', () => {
    expect(renderIpvsadmRates(services).split('\n').slice(1, 6)).toEqual([
      'Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS',
      '  -> RemoteAddress:Port',
      'TCP  10.96.0.1:443                       0        0        0        0        0',
      'TCP  10.96.0.10:80                       0        0        0        0        0',
      '  -> 10.244.1.7:8080                     7        0        0        0    1500M',
    ]);
  });

  test('-Lnc shows entries and templates', () => {
    const entry: ConnectionListing = {
      protocol: 'TCP',
      client: { address: '10.244.1.9', port: 40_000 },
      virtual: { address: '10.96.0.10', port: 80 },
      destination: { address: '10.244.1.7', port: 8080 },
      state: 'ESTABLISHED',
      expiresInMs: 899_500,
      template: false,
    };
    expect(renderIpvsadmConnections([entry])).toBe(
      [
        'IPVS connection entries',
        'pro expire state       source             virtual            destination',
        'TCP 14:59  ESTABLISHED 10.244.1.9:40000   10.96.0.10:80      10.244.1.7:8080',
        '',
      ].join('\n'),
    );
  });
});
