import { describe, expect, test } from 'vitest';
import { desiredEntries, type LocalNode } from '../../src/overlay/desired-entries.ts';
import type { Lease } from '../../src/overlay/lease.ts';
import { renderFdb, renderNeighbours, renderRoutes } from '../../src/overlay/render-tables.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { lease, netConf } from './leases.ts';

const VXLAN = { Backend: { Type: 'vxlan' } };

function localNode(json: object = VXLAN): LocalNode {
  const conf = netConf(json);
  return {
    lease: { ...lease(1), backendType: conf.backend.type },
    conf,
    underlayDevice: 'eth0',
    underlayNetworks: [cidr('172.18.0.0/16')],
  };
}

function render(leases: readonly Lease[], json?: object): string {
  const { routes, neighbours, fdb, problems } = desiredEntries(localNode(json), leases);
  return [
    renderRoutes(routes),
    renderNeighbours(neighbours),
    renderFdb(fdb, 'flannel.1'),
    problems.map((problem) => `${problem}\n`).join(''),
  ].join('');
}

const LOCAL_ROUTES = [
  '10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1',
  '172.18.0.0/16 dev eth0 proto kernel scope link src 172.18.0.2',
];

function linesWithLocal(...lines: string[]): string {
  const routes = lines.filter((line) => line.includes('/24 via'));
  const others = lines.filter((line) => !routes.includes(line));
  const [bridge, underlay] = LOCAL_ROUTES;
  return [bridge, ...routes, underlay, ...others, ''].join('\n');
}

describe('desiredEntries', () => {
  test('vxlan: one route, neighbour and FDB entry for each other node', () => {
    expect(render([lease(3), lease(1), lease(2)])).toBe(
      linesWithLocal(
        '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
        '10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
        '10.244.2.0 dev flannel.1 lladdr 12:c6:65:89:b4:02 PERMANENT',
        '10.244.3.0 dev flannel.1 lladdr 12:c6:65:89:b4:03 PERMANENT',
        '12:c6:65:89:b4:02 dst 172.18.0.3 self permanent',
        '12:c6:65:89:b4:03 dst 172.18.0.4 self permanent',
      ),
    );
  });

  test('DirectRouting: a route to the node itself where it is on the link', () => {
    const json = { Backend: { Type: 'vxlan', DirectRouting: true } };
    expect(render([lease(2), lease(3, { publicIp: ip('192.0.2.9') })], json)).toBe(
      linesWithLocal(
        '10.244.2.0/24 via 172.18.0.3 dev eth0',
        '10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
        '10.244.3.0 dev flannel.1 lladdr 12:c6:65:89:b4:03 PERMANENT',
        '12:c6:65:89:b4:03 dst 192.0.2.9 self permanent',
      ),
    );
  });

  test('host-gw: routes only, and only to nodes on the link', () => {
    const gateway = (number: number, publicIp: string): Lease => {
      const { subnet } = lease(number).ipv4 ?? { subnet: cidr('10.244.0.0/24') };
      return {
        node: `node-${number}`,
        backendType: 'host-gw',
        ipv4: { subnet, publicIp: ip(publicIp) },
      };
    };
    const leases = [gateway(2, '172.18.0.3'), gateway(3, '192.0.2.9')];
    expect(render(leases, { Backend: { Type: 'host-gw' } })).toBe(
      linesWithLocal(
        '10.244.2.0/24 via 172.18.0.3 dev eth0',
        'node node-3: 192.0.2.9 is on no network of eth0, which host-gw needs',
      ),
    );
  });

  test.each([
    [{ ...lease(2), backendType: 'host-gw' }, 'has backend "host-gw", this node has "vxlan"'],
    [lease(2, { subnet: cidr('10.9.0.0/24') }), 'subnet 10.9.0.0/24 is not in the network'],
    [lease(2, { subnet: cidr('10.244.1.128/25') }), 'overlaps 10.244.1.0/24 of node node-1'],
    [lease(2, { subnet: cidr('10.244.0.0/23') }), 'overlaps 10.244.1.0/24 of node node-1'],
    [lease(2, { vtep: { vni: 7, mac: 2 } }), 'has VNI 7, this node has 1'],
    [lease(2, { vtep: lease(1).ipv4?.vtep ?? { vni: 1, mac: 0 } }), 'is that of node node-1'],
  ])('leaves out a lease that contradicts: %#', (bad, problem) => {
    const { problems, routes, neighbours, fdb } = desiredEntries(localNode(), [bad]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
    expect([routes.length, neighbours.length, fdb.length]).toEqual([2, 0, 0]);
  });

  test('a lease without a VTEP is no member', () => {
    const { subnet, publicIp } = lease(2).ipv4 ?? { subnet: cidr('::/0'), publicIp: ip('::') };
    const bare: Lease = { node: 'node-2', backendType: 'vxlan', ipv4: { subnet, publicIp } };
    expect(desiredEntries(localNode(), [bare]).problems).toEqual([
      'node node-2: announces no VTEP',
    ]);
  });

  test('the order of the leases does not matter', () => {
    const leases = [lease(2), lease(3), { ...lease(3), node: 'node-3-twin' }];
    expect(render(leases)).toBe(render(leases.toReversed()));
  });

  test('a node has entries in each family that both have', () => {
    const both = (number: number): Lease => ({
      ...lease(number),
      ipv6: {
        subnet: cidr(`fd00:0:0:${number}::/64`),
        publicIp: ip(`2001:db8::${number}`),
        vtep: { vni: 1, mac: number },
      },
    });
    const conf = netConf({ ...VXLAN, EnableIPv6: true, IPv6Network: 'fd00::/48' });
    const local = { ...localNode(), conf, lease: both(1) };
    const { neighbours, fdb } = desiredEntries(local, [both(2), lease(3)]);
    expect(neighbours.map((entry) => `${entry.owner} ${entry.device}`)).toEqual([
      'node-2 flannel.1',
      'node-2 flannel-v6.1',
      'node-3 flannel.1',
    ]);
    expect(fdb).toHaveLength(3);
  });
});
