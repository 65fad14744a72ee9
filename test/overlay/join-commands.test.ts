import { expect, test } from 'vitest';
import { joinCommands, leaveCommands } from '../../src/overlay/join-commands.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { lease, netConf } from './leases.ts';

function confOf(json: object) {
  const conf = netConf({ Backend: { Type: 'vxlan', ...json } });
  if (conf.backend.type !== 'vxlan') throw new Error('not vxlan');
  return { ...conf, backend: conf.backend };
}

// test/e2e/overlay-commands.test.ts runs them.
test('a kernel joins with its device and one entry of each kind for each node', () => {
  const joining = { lease: lease(9), device: 'eth0', deviceMtu: 9000 };
  expect(joinCommands(joining, confOf({ VNI: 1, Port: 4789 }), [lease(1), lease(9)])).toEqual([
    'ip link add flannel.1 address 12:c6:65:89:b4:09 type vxlan id 1 local 172.18.0.10 dev eth0 dstport 4789 nolearning',
    'ip address add 10.244.9.0/32 dev flannel.1',
    'ip link set flannel.1 mtu 8950 up',
    'ethtool -K flannel.1 tx-checksum-ip-generic off',
    'ip neighbour replace 10.244.1.0 lladdr 12:c6:65:89:b4:01 dev flannel.1 nud permanent',
    'bridge fdb replace 12:c6:65:89:b4:01 dev flannel.1 dst 172.18.0.2 self permanent',
    'ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
  ]);
});

test('two families have a device each, with the MTU that IPv6 leaves', () => {
  const ipv6 = {
    subnet: cidr('fd00:0:0:9::/64'),
    publicIp: ip('2001:db8::9'),
    vtep: { vni: 1, mac: 0x0200_0000_0009 },
  };
  const joining = { lease: { ...lease(9), ipv6 }, device: 'eth0', deviceMtu: 1500 };
  const commands = joinCommands(joining, confOf({}), []);
  expect(commands.filter((line) => line.includes('mtu'))).toEqual([
    'ip link set flannel.1 mtu 1450 up',
    'ip link set flannel-v6.1 mtu 1430 up',
  ]);
  expect(commands).toContain('ip address add fd00:0:0:9::/128 dev flannel-v6.1');
  expect(leaveCommands(confOf({}), joining.lease)).toEqual([
    'ip link del flannel.1',
    'ip link del flannel-v6.1',
  ]);
});
