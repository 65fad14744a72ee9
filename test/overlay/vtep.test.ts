import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { Lifetime } from '../../src/base/lifetime.ts';
import type { OpenDatagramPort } from '../../src/overlay/datagram-port.ts';
import { type LinkHook, Vtep, type VtepOptions } from '../../src/overlay/vtep.ts';
import { encodeEthernet } from '../../src/wire/ethernet.ts';
import { ip } from '../ipam/addresses.ts';
import { datagramPorts } from './datagram-ports.ts';
import { until } from '../support/until.ts';

const MAC_A = 0x0200_0000_000a;
const MAC_B = 0x0200_0000_000b;
const VXLAN_BYTES = 8;

let lifetime: Lifetime;
let clock: ManualClock;
let openUdp: OpenDatagramPort;

beforeEach(() => {
  lifetime = new Lifetime('test');
  clock = new ManualClock();
});

afterEach(() => lifetime.close());

/** A VTEP and the payloads of the inner frames it took in. */
async function vtepAt(address: string, options: Partial<VtepOptions> = {}) {
  const frames: string[] = [];
  const arrived: (() => void)[] = [];
  const vtep = await Vtep.open({
    address: ip(address),
    port: 0,
    vni: 1,
    clock,
    openUdp,
    onFrame: (bytes, from, to) => {
      frames.push(new TextDecoder().decode(bytes.subarray(from + 14, to)));
      for (const resolve of arrived.splice(0)) resolve();
    },
    ...options,
  });
  lifetime.own(vtep);
  const frame = () => new Promise<void>((resolve) => arrived.push(resolve));
  return { vtep, frames, frame };
}

function packet(to: number, payload: string, from = MAC_A): Uint8Array {
  const bytes = new Uint8Array(VXLAN_BYTES + 14 + payload.length);
  encodeEthernet(bytes, VXLAN_BYTES, { destination: to, source: from, type: 0x0800 });
  bytes.set(new TextEncoder().encode(payload), VXLAN_BYTES + 14);
  return bytes;
}

/** Two that know each other, on one port. */
async function pair(options: Partial<VtepOptions> = {}) {
  const a = await vtepAt('127.0.0.1', options);
  const b = await vtepAt('127.0.0.2', { port: a.vtep.port, ...options });
  a.vtep.setFdb([{ mac: MAC_B, destination: ip('127.0.0.2') }]);
  b.vtep.setFdb([{ mac: MAC_A, destination: ip('127.0.0.1') }]);
  return { a, b };
}

/** Sends raw bytes to a VTEP's port from an address that may be no VTEP. */
async function sendRaw(vtep: Vtep, from: string, hex: string): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(0, from);
  await once(socket, 'listening');
  await new Promise((resolve) => {
    socket.send(Buffer.from(hex, 'hex'), vtep.port, '127.0.0.1', resolve);
  });
  socket.close();
  await once(socket, 'close');
}

describe.each(datagramPorts)('Vtep over $name', (system) => {
  beforeEach(() => {
    openUdp = system.open;
  });

  test('carries frames both ways and counts them by peer', async () => {
    const { a, b } = await pair();
    const atB = b.frame();
    a.vtep.send(packet(MAC_B, 'ping'));
    await atB;
    const atA = a.frame();
    b.vtep.send(packet(MAC_A, 'pong', MAC_B));
    await atA;
    expect([a.frames, b.frames]).toEqual([['pong'], ['ping']]);
    expect(a.vtep.counters().get('127.0.0.2')).toEqual({
      sentFrames: 1,
      sentBytes: 26,
      receivedFrames: 1,
      receivedBytes: 26,
    });
  });

  test('its receive buffer is read back', async () => {
    const { vtep } = await vtepAt('127.0.0.1', { receiveBufferBytes: 65_536 });
    expect(vtep.receiveBufferBytes).toBeGreaterThanOrEqual(65_536);
  });

  test('a port that is taken is an error of the system', async () => {
    const { vtep } = await vtepAt('127.0.0.1');
    await expect(vtepAt('127.0.0.1', { port: vtep.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  test('a MAC without an FDB entry is a counted drop', async () => {
    const { a } = await pair();
    a.vtep.send(packet(0x0200_0000_00ff, 'lost'));
    expect(a.vtep.drops()).toEqual(new Map([['no-fdb-entry', 1]]));
  });

  test('a frame above what UDP holds is a counted drop', async () => {
    const { a } = await pair();
    a.vtep.send(packet(MAC_B, 'x'.repeat(65_507 - 22 + 1)));
    expect(a.vtep.drops()).toEqual(new Map([['too-big', 1]]));
  });

  test('the largest frame that UDP holds arrives', async () => {
    const { a, b } = await pair();
    const atB = b.frame();
    a.vtep.send(packet(MAC_B, 'x'.repeat(65_507 - 22)));
    await atB;
    expect(b.frames[0]?.length).toBe(65_485);
  });

  test('a VTEP that is gone is noticed and does no harm', async () => {
    const { a, b } = await pair();
    await b.vtep.close();
    a.vtep.send(packet(MAC_B, 'anybody?'));
    await until(() => a.vtep.drops().get('peer-refused') === 1);
    const again = await vtepAt('127.0.0.2', { port: a.vtep.port });
    const atB = again.frame();
    a.vtep.send(packet(MAC_B, 'welcome back'));
    await atB;
    expect(again.frames).toEqual(['welcome back']);
  });

  test('a new FDB moves a MAC to another VTEP and closes the way to the old one', async () => {
    const { a, b } = await pair();
    const c = await vtepAt('127.0.0.3', { port: a.vtep.port });
    a.vtep.setFdb([{ mac: MAC_B, destination: ip('127.0.0.3') }]);
    const atC = c.frame();
    a.vtep.send(packet(MAC_B, 'moved'));
    await atC;
    expect([b.frames, c.frames]).toEqual([[], ['moved']]);
    expect([...a.vtep.counters().keys()]).toEqual(['127.0.0.3']);
  });

  const inner = '02000000000a02000000000b0800';
  test.each([
    ['0800000000000100', 'inner-truncated'],
    [`0000000000000100${inner}`, 'vxlan-no-vni-flag'],
    [`8800000000000100${inner}`, 'vxlan-reserved-bits'],
    [`0800000000000101${inner}`, 'vxlan-reserved-bits'],
    [`0800000000000200${inner}`, 'vni-mismatch'],
    ['08000000', 'vxlan-truncated'],
    ['', 'vxlan-truncated'],
  ])('takes %s for %s', async (hex, reason) => {
    const { a } = await pair();
    await sendRaw(a.vtep, '127.0.0.1', hex);
    await until(() => a.vtep.drops().size > 0);
    expect(a.vtep.drops()).toEqual(new Map([[reason, 1]]));
    expect(a.frames).toEqual([]);
  });

  test('strangers are heard, unless peers are checked', async () => {
    const frame = `0800000000000100${inner}6869`;
    const open = await pair();
    await sendRaw(open.a.vtep, '127.0.0.9', frame);
    await until(() => open.a.frames.length > 0);
    expect(open.a.frames).toEqual(['hi']);
    const strict = await pair({ checkPeers: true });
    await sendRaw(strict.a.vtep, '127.0.0.9', frame);
    await until(() => strict.a.vtep.drops().size > 0);
    expect(strict.a.vtep.drops()).toEqual(new Map([['unknown-peer', 1]]));
  });

  test('learning: answers where a MAC was seen, until it is old', async () => {
    const a = await vtepAt('127.0.0.1');
    const b = await vtepAt('127.0.0.2', { port: a.vtep.port, learning: true });
    a.vtep.setFdb([{ mac: MAC_B, destination: ip('127.0.0.2') }]);
    const atB = b.frame();
    a.vtep.send(packet(MAC_B, 'here I am'));
    await atB;
    const atA = a.frame();
    b.vtep.send(packet(MAC_A, 'seen', MAC_B));
    await atA;
    expect(a.frames).toEqual(['seen']);
    clock.advance(300_001);
    b.vtep.send(packet(MAC_A, 'too late', MAC_B));
    expect(b.vtep.drops()).toEqual(new Map([['no-fdb-entry', 1]]));
  });

  test('a hook decides what passes, in both directions', async () => {
    const { a, b } = await pair();
    const seen: string[] = [];
    const hook: LinkHook = {
      outbound: (peer, datagram, pass) => {
        seen.push(`out ${peer}`);
        pass(datagram);
        pass(datagram);
      },
      inbound: (peer) => seen.push(`in ${peer}`),
    };
    a.vtep.setHook(hook);
    a.vtep.send(packet(MAC_B, 'twice'));
    await until(() => b.frames.length === 2);
    b.vtep.send(packet(MAC_A, 'never', MAC_B));
    await until(() => seen.length === 2);
    expect(seen).toEqual(['out 127.0.0.2', 'in 127.0.0.2']);
    expect([a.frames, b.frames]).toEqual([[], ['twice', 'twice']]);
  });

  test('a tap sees what is sent, received and dropped', async () => {
    const { a, b } = await pair();
    const seen: string[] = [];
    const removeTap = a.vtep.addTap({
      sent: (_peer, datagram) => seen.push(`sent ${datagram.length}`),
      received: (_peer, datagram) => seen.push(`received ${datagram.length}`),
      dropped: (reason) => seen.push(reason),
      unsent: (reason) => seen.push(reason),
    });
    a.vtep.send(packet(MAC_B, 'one'));
    a.vtep.send(packet(1, 'lost'));
    b.vtep.send(packet(MAC_A, 'two!', MAC_B));
    await until(() => seen.length === 3);
    expect(seen).toEqual(['sent 25', 'no-fdb-entry', 'received 26']);
    removeTap();
    a.vtep.send(packet(1, 'lost'));
    expect(seen).toHaveLength(3);
  });

  test('ends twice and takes nothing afterwards', async () => {
    const { a } = await pair();
    await Promise.all([a.vtep.close(), a.vtep.close()]);
    a.vtep.send(packet(MAC_B, 'late'));
    expect(a.vtep.drops()).toEqual(new Map([['no-fdb-entry', 1]]));
  });
});
