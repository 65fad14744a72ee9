import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { runNodeCommand } from '../../../src/node/commands/node-commands.ts';
import type { NodeAgent } from '../../../src/node/node-agent.ts';
import { OverlayNode } from '../../../src/overlay/overlay-node.ts';
import { cidr, ip } from '../../ipam/addresses.ts';
import { lease, netConf } from '../../overlay/leases.ts';

let overlay: OverlayNode;
let agent: NodeAgent;
let port = 0;

beforeEach(async () => {
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  ({ port } = probe.address());
  probe.close();
  overlay = await openNode({ Type: 'vxlan', Port: port });
  overlay.setLeases([overlay.lease, lease(2, { publicIp: ip('127.0.0.2') })]);
  agent = { overlay: { overlay } } as unknown as NodeAgent;
});

afterEach(() => overlay.close());

function openNode(backend: object, publicIp = '127.0.0.1'): Promise<OverlayNode> {
  return OverlayNode.open({
    name: 'node-1',
    publicIp: ip(publicIp),
    subnet: cidr('10.244.1.0/24'),
    conf: netConf({ Backend: backend }),
    underlayNetworks: [cidr('127.0.0.0/24')],
    underlayMtu: 1500,
    vtepMac: lease(1).ipv4?.vtep?.mac,
    clock: systemClock,
    random: seededRandom('commands'),
    log: silentLogger,
    dialPod: () => {
      throw new Error('nobody dials');
    },
    dialPodDatagrams: () => ({ send: () => undefined, close: () => undefined }),
  });
}

function run(line: string, on = agent): Promise<unknown> {
  return runNodeCommand(on, line.split(' '), new AbortController().signal);
}

describe('the tables', () => {
  test.each(['ip route', 'ip r', 'ip -4 route show'])('%s', async (line) =>
    expect(await run(line)).toBe(
      [
        '10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1',
        '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
        '127.0.0.0/24 dev eth0 proto kernel scope link src 127.0.0.1',
        '',
      ].join('\n'),
    ),
  );

  test.each(['ip neigh', 'ip neighbour show'])('%s', async (line) =>
    expect(await run(line)).toBe('10.244.2.0 dev flannel.1 lladdr 12:c6:65:89:b4:02 PERMANENT\n'),
  );

  test('routes and neighbours of one device, without its name', async () => {
    expect(await run('ip route show dev flannel.1')).toBe('10.244.2.0/24 via 10.244.2.0 onlink\n');
    expect(await run('ip neigh show dev flannel.1')).toBe(
      '10.244.2.0 lladdr 12:c6:65:89:b4:02 PERMANENT\n',
    );
    expect(await run('ip neigh show dev cni0')).toBe('');
  });

  test('bridge fdb names the device, unless it was asked for', async () => {
    expect(await run('bridge fdb')).toBe(
      '12:c6:65:89:b4:02 dev flannel.1 dst 127.0.0.2 self permanent\n',
    );
    expect(await run('bridge fdb show dev flannel.1')).toBe(
      '12:c6:65:89:b4:02 dst 127.0.0.2 self permanent\n',
    );
    expect(await run('bridge fdb show dev flannel.2')).toBe('');
  });

  test('ip -s link has what crossed the device, in columns as wide as they must be', async () => {
    const socket = createSocket('udp4');
    // VXLAN of another network: dropped by the VTEP, so nothing that the device received, or was to send.
    const datagram = Buffer.alloc(64);
    datagram.write('0800000000000200', 'hex');
    socket.send(datagram, port, '127.0.0.1');
    const drops = () => overlay.counters().drops.get('vni-mismatch');
    while (drops() === undefined) await new Promise((resolve) => setImmediate(resolve));
    socket.close();
    expect(
      String(await run('ip -s link show flannel.1'))
        .split('\n')
        .slice(1),
    ).toEqual([
      '    link/ether 12:c6:65:89:b4:01 brd ff:ff:ff:ff:ff:ff',
      '    RX:  bytes packets errors dropped  missed   mcast',
      '             0       0      0       0       0       0',
      '    TX:  bytes packets errors dropped carrier collsns',
      '             0       0      0       0       0       0',
      '',
    ]);
    expect(await run('overlay status')).toMatch(/^DROPPED {8}FRAMES\nvni-mismatch {3}1$/m);
  });

  test.each([
    ['ip addr', /object "addr" is unknown/],
    ['ip -6 route', /unknown option -6/],
    ['ip route add', /route can only be shown/],
    ['ip route show 10.244.2.0/24', /"10.244.2.0\/24" cannot be selected/],
    ['ip neigh show dev', /"dev" cannot be selected/],
    ['ip link show eth9', /Device "eth9" does not exist/],
    ['bridge vlan', /usage: bridge fdb/],
    ['overlay', /one of status, faults, capture, join, leave must follow/],
    ['overlay capture lo', /usage: overlay capture pod \| vtep/],
    ['overlay join kernel-1', /can join where the backend is vxlan/],
  ])('%s is refused', async (line, why) =>
    expect(run(line)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(why) as unknown,
    }),
  );

  test('a node without its VTEP says so', async () =>
    expect(run('ip route', {} as NodeAgent)).rejects.toMatchObject({ code: 'NO_OVERLAY' }));

  test('host-gw has routes and no device', async () => {
    const hostGw = await openNode({ Type: 'host-gw' });
    const { ipv4 } = lease(2);
    if (ipv4 === undefined) throw new Error('node-2 has an IPv4 lease');
    const { subnet } = ipv4;
    const other = { node: 'node-2', backendType: 'host-gw' };
    hostGw.setLeases([{ ...other, ipv4: { subnet, publicIp: ip('127.0.0.2') } }]);
    const on = { overlay: { overlay: hostGw } } as unknown as NodeAgent;
    expect(await run('ip route', on)).toContain('10.244.2.0/24 via 127.0.0.2 dev eth0\n');
    await expect(run('ip link', on)).rejects.toThrow('Device "flannel.1" does not exist.');
    await expect(run('overlay capture', on)).rejects.toThrow(/no tunnel to capture/);
    await expect(run('overlay faults set * --partition', on)).rejects.toThrow(
      /connections to the other nodes are dialled directly \(the host-gw backend\)/,
    );
    await hostGw.close();
  });
});

describe('faults', () => {
  test('are set, listed and cleared by node and direction', async () => {
    await run('overlay faults set node-2 --loss 2% --delay 10ms');
    await run('overlay faults set * --inbound --partition');
    expect(await run('overlay faults list')).toBe(
      'outbound node-2 loss 2% delay 10ms\ninbound * partition\n',
    );
    await run('overlay faults clear node-2');
    expect(await run('overlay faults')).toBe('inbound * partition\n');
    await run('overlay faults clear');
    expect(await run('overlay faults')).toBe('');
  });

  test('of a node that is reached directly are refused, and of one that may come are kept', async () => {
    const direct = await openNode({ Type: 'vxlan', Port: port, DirectRouting: true }, '127.0.0.3');
    direct.setLeases([lease(2, { publicIp: ip('127.0.0.2') })]);
    const on = { overlay: { overlay: direct } } as unknown as NodeAgent;
    await expect(run('overlay faults set node-2 --loss 2%', on)).rejects.toThrow(
      /connections to node-2 are dialled directly \(DirectRouting\)/,
    );
    await run('overlay faults set node-3 --loss 2%', on);
    expect(await run('overlay faults list', on)).toBe('outbound node-3 loss 2%\n');
    await direct.close();
  });

  test.each([
    ['overlay faults set node-2', /name a fault: --loss, --delay/],
    ['overlay faults set node-2 --loss 2', /--loss "2" must be a percentage/],
    ['overlay faults set node-2 --block-udp-port 0', /blockedUdpPorts 0 is no port/],
    ['overlay faults set a b --partition', /a b: one node at a time/],
    ['overlay faults set node-2 --drop', /Unknown option '--drop'/],
    ['overlay faults heal', /usage: overlay faults/],
  ])('%s is refused', async (line, why) =>
    expect(run(line)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(why) as unknown,
    }),
  );
});

test('a capture goes on until nobody reads any more', async () => {
  const reading = new AbortController();
  const line = ['overlay', 'capture', 'pod'];
  const frames = (await runNodeCommand(agent, line, reading.signal)) as Readable;
  const [header] = (await once(frames, 'data')) as [Buffer];
  expect(header.readUInt32LE(0)).toBe(0x0a0d_0d0a);
  reading.abort();
  await once(frames, 'close');
});
