import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { desiredEntries } from '../../src/overlay/desired-entries.ts';
import { joinCommands, leaveCommands } from '../../src/overlay/join-commands.ts';
import type { VxlanConf } from '../../src/overlay/backend-conf.ts';
import type { NetConf } from '../../src/overlay/net-conf.ts';
import {
  renderFdb,
  renderLink,
  renderNeighbours,
  renderRoutes,
} from '../../src/overlay/render-tables.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { lease, netConf } from '../overlay/leases.ts';
import { NetworkNamespace, namespaceObstacle } from './network-namespace.ts';

const obstacle = namespaceObstacle();
if (obstacle !== undefined) process.stderr.write(`overlay-commands skipped: ${obstacle}\n`);

function vxlanConf(): NetConf & { backend: VxlanConf } {
  const conf = netConf({ Backend: { Type: 'vxlan' } });
  if (conf.backend.type !== 'vxlan') throw new Error('not vxlan');
  return { ...conf, backend: conf.backend };
}

/** Lines in order, without the blanks that ip puts at their ends. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .toSorted((a, b) => a.localeCompare(b));
}

// The kernel is the reference: run the commands, compare its tools with what podwire would print.
describe.skipIf(obstacle !== undefined)('a kernel that runs the join commands', () => {
  const leases = [lease(1), lease(2), lease(3)];
  let namespace: NetworkNamespace;

  beforeAll(() => {
    namespace = new NetworkNamespace('join');
    namespace.run('ip link add eth0 type veth peer name eth1 && ip link set eth1 up');
    namespace.run('ip address add 172.18.0.2/16 dev eth0 && ip link set eth0 up');
    namespace.run('ip link add cni0 type bridge && ip address add 10.244.1.1/24 dev cni0');
    namespace.run('ip link set cni0 up');
    const joining = { lease: lease(1), device: 'eth0', deviceMtu: 1500 };
    for (const command of joinCommands(joining, vxlanConf(), leases)) namespace.run(command);
  });

  afterAll(() => namespace.remove());

  const entries = desiredEntries(
    {
      lease: lease(1),
      conf: vxlanConf(),
      underlayDevice: 'eth0',
      underlayNetworks: [cidr('172.18.0.0/16')],
    },
    leases,
  );

  test('has the routes that podwire shows', () =>
    expect(renderRoutes(entries.routes)).toBe(
      namespace.run('ip -4 route').replaceAll(' \n', '\n').replaceAll(' linkdown', ''),
    ));

  test('has the routes of one device that podwire shows', () =>
    expect(renderRoutes(entries.routes, 'flannel.1')).toBe(
      namespace.run('ip -4 route show dev flannel.1').replaceAll(' \n', '\n'),
    ));

  test('has the neighbours that podwire shows', () =>
    expect(linesOf(renderNeighbours(entries.neighbours, 'flannel.1'))).toEqual(
      linesOf(namespace.run('ip -4 neigh show dev flannel.1')),
    ));

  test('has the FDB that podwire shows', () =>
    expect(linesOf(renderFdb(entries.fdb, 'flannel.1'))).toEqual(
      linesOf(namespace.run('bridge fdb show dev flannel.1')),
    ));

  test('has the device that podwire shows', () => {
    const real = namespace.run('ip -d link show flannel.1');
    const link = {
      index: Number.parseInt(real, 10),
      name: 'flannel.1',
      mac: lease(1).ipv4?.vtep?.mac ?? 0,
      mtu: 1450,
      vni: 1,
      local: ip('172.18.0.2'),
      underlayDevice: 'eth0',
      port: 8472,
      learning: false,
      counters: {
        receivedBytes: 0,
        receivedPackets: 0,
        receivedDropped: 0,
        sentBytes: 0,
        sentPackets: 0,
        sentDropped: 0,
      },
    };
    const rendered = renderLink(link, { isDetailed: true, hasStatistics: false });
    // What follows differs between kernels and versions of ip: their limits, not the device's settings.
    const settings = (text: string) =>
      text.replaceAll(/ (?:promiscuity|addrgenmode|qlen) .*$/gm, '').replaceAll(/ +$/gm, '');
    expect(settings(rendered)).toBe(settings(real));
  });

  test('leaves with nothing behind', () => {
    for (const command of leaveCommands(vxlanConf(), lease(1))) namespace.run(command);
    expect(namespace.run('ip link; ip route; ip neigh; bridge fdb')).not.toContain('flannel');
  });
});
