import { describe, expect, test } from 'vitest';
import { formatCidr, formatIp } from '../../src/base/ip.ts';
import { parseNetConf } from '../../src/overlay/net-conf.ts';

const VXLAN = { Type: 'vxlan' };

function problemsOf(json: unknown): readonly string[] {
  const outcome = parseNetConf(typeof json === 'string' ? json : JSON.stringify(json));
  return outcome.kind === 'invalid' ? outcome.problems : [];
}

/** `network len min max` of each family. */
function networksOf(json: object): string[] {
  const outcome = parseNetConf(JSON.stringify({ Backend: VXLAN, ...json }));
  if (outcome.kind === 'invalid') return [...outcome.problems];
  return [outcome.conf.ipv4, outcome.conf.ipv6].flatMap((family) =>
    family === undefined
      ? []
      : [
          `${formatCidr(family.network)} ${family.subnetLen} ${formatIp(family.subnetMin)} ${formatIp(family.subnetMax)}`,
        ],
  );
}

describe('the network', () => {
  test.each([
    [{ Network: '10.244.0.0/16' }, '10.244.0.0/16 24 10.244.1.0 10.244.255.0'],
    [{ network: '10.244.7.9/16' }, '10.244.0.0/16 24 10.244.1.0 10.244.255.0'],
    [{ Network: '10.0.0.0/22' }, '10.0.0.0/22 24 10.0.1.0 10.0.3.0'],
    [{ Network: '10.0.0.0/23' }, '10.0.0.0/23 25 10.0.0.128 10.0.1.128'],
    [{ Network: '10.0.0.0/28' }, '10.0.0.0/28 30 10.0.0.4 10.0.0.12'],
    [{ Network: '10.0.0.0/8', SubnetLen: 20 }, '10.0.0.0/8 20 10.0.16.0 10.255.240.0'],
    [
      { Network: '10.0.0.0/8', SubnetMin: '10.10.0.0', SubnetMax: '10.99.0.0' },
      '10.0.0.0/8 24 10.10.0.0 10.99.0.0',
    ],
    [
      { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' },
      'fd00::/48 64 fd00:0:0:1:: fd00:0:0:ffff::',
    ],
    [
      { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/63' },
      'fd00::/63 65 fd00::8000:0:0:0 fd00:0:0:1:8000::',
    ],
  ])('%j', (json, expected) => expect(networksOf(json)).toEqual([expected]));

  test('both families', () => {
    const json = { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/112' };
    expect(networksOf({ ...json, IPv6SubnetLen: 120 })).toEqual([
      '10.244.0.0/16 24 10.244.1.0 10.244.255.0',
      'fd00::/112 120 fd00::100 fd00::ff00',
    ]);
  });

  test.each([
    [{}, 'Network: missing'],
    [{ Network: '' }, 'Network: "" is no IPv4 CIDR'],
    [{ Network: 'fd00::/48' }, 'Network: "fd00::/48" is no IPv4 CIDR'],
    [{ Network: 10 }, 'Network: must be a string, not 10'],
    [{ Network: '10.0.0.0/29' }, 'Network: 10.0.0.0/29 is too small: use /28 or larger'],
    [{ Network: '10.0.0.0/8', SubnetLen: 31 }, 'SubnetLen: 31 leaves no room for pods'],
    [{ Network: '10.0.0.0/16', SubnetLen: 17 }, 'at least four subnets: use 18 or more'],
    [{ Network: '10.0.0.0/16', SubnetLen: -1 }, 'SubnetLen: must be a whole number'],
    [{ Network: '10.0.0.0/16', SubnetLen: '24' }, 'SubnetLen: must be a whole number'],
    [{ Network: '10.0.0.0/16', SubnetMin: '10.1.0.0' }, 'SubnetMin: "10.1.0.0" is not in'],
    [{ Network: '10.0.0.0/16', SubnetMax: 'x' }, 'SubnetMax: "x" is not in'],
    [{ Network: '10.0.0.0/16', SubnetMin: '10.0.1.1' }, 'is not on a /24 boundary: 10.0.1.0 is'],
    [
      { Network: '10.0.0.0/16', SubnetMin: '10.0.9.0', SubnetMax: '10.0.8.0' },
      'SubnetMin: 10.0.9.0 is above SubnetMax',
    ],
    [{ EnableIPv4: false }, 'EnableIPv4, EnableIPv6: at least one must be true'],
    [{ Network: '10.0.0.0/16', EnableIPv6: true }, 'IPv6Network: missing'],
    [{ Network: '10.0.0.0/16', EnableIPv6: 'yes' }, 'EnableIPv6: must be true or false'],
    [
      { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/125' },
      'fd00::/125 is too small: use /124 or larger',
    ],
  ])('%j is refused: %s', (json, problem) => {
    const problems = problemsOf({ Backend: VXLAN, ...json });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test('all problems at once; unknown keys are none', () => {
    const json = { Network: 1, EnableNFTables: 1, Backend: { Type: 'x' }, Comment: 'kept' };
    expect(problemsOf(json).map((problem) => problem.split(':')[0])).toEqual([
      'EnableNFTables',
      'Network',
      'Backend.Type',
    ]);
  });

  test.each(['', '[]', 'null', '{'])('%j is no configuration', (text) =>
    expect(problemsOf(text)).toHaveLength(1),
  );
});

describe('the backend', () => {
  const backendOf = (backend: unknown) => {
    const outcome = parseNetConf(JSON.stringify({ Network: '10.244.0.0/16', Backend: backend }));
    return outcome.kind === 'ok' ? outcome.conf.backend : outcome.problems.join('; ');
  };

  test('vxlan with its defaults', () => {
    expect(backendOf({ Type: 'VXLAN' })).toEqual({
      type: 'vxlan',
      vni: 1,
      port: 8472,
      mtu: undefined,
      directRouting: false,
      learning: false,
      macPrefix: undefined,
    });
  });

  test('vxlan with everything, keys in any case', () => {
    const json = { type: 'vxlan', vni: 4096, PORT: 4789, mtu: 9000, MacPrefix: '0E-2A' };
    expect(backendOf({ ...json, directrouting: true, Learning: true, GBP: null })).toEqual({
      type: 'vxlan',
      vni: 4096,
      port: 4789,
      mtu: 9000,
      directRouting: true,
      learning: true,
      macPrefix: '0E-2A',
    });
  });

  test('host-gw', () => expect(backendOf({ Type: 'host-gw' })).toEqual({ type: 'host-gw' }));

  test.each([
    [undefined, 'Backend: missing, which means udp'],
    ['vxlan', 'Backend: must be an object'],
    [{ Type: 'wireguard' }, 'Backend.Type: podwire does not have wireguard: use {"Type": "vxlan"}'],
    [{ Type: 'carrier-pigeon' }, 'Backend.Type: unknown backend type: "carrier-pigeon"'],
    [{ Type: 'vxlan', VNI: 16_777_216 }, 'Backend.VNI: must be a whole number from 0 to 16777215'],
    [{ Type: 'vxlan', Port: 65_536 }, 'Backend.Port: must be a whole number'],
    [{ Type: 'vxlan', MTU: 100 }, 'Backend.MTU: 100 is too small'],
    [{ Type: 'vxlan', GBP: true }, 'Backend.GBP: podwire has no group policy'],
    [{ Type: 'vxlan', MacPrefix: '0F-2A' }, 'Backend.MacPrefix: "0F-2A" is no unicast prefix'],
  ])('%j is refused', (backend, problem) => expect(backendOf(backend)).toContain(problem));
});
