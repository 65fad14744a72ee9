import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Lifetime } from '../../src/base/lifetime.ts';
import type { DatagramPort, DatagramPortOptions } from '../../src/overlay/datagram-port.ts';
import { ip } from '../ipam/addresses.ts';
import { until } from '../support/until.ts';
import { datagramPorts } from './datagram-ports.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

describe.each(datagramPorts)('a datagram port of $name', ({ open }) => {
  let lifetime: Lifetime;

  beforeEach(() => {
    lifetime = new Lifetime('test');
  });

  afterEach(() => lifetime.close());

  async function portAt(address: string, options: Partial<DatagramPortOptions> = {}) {
    const datagrams: Uint8Array[] = [];
    const sources: string[] = [];
    const port = await open({
      address: ip(address),
      port: 0,
      receiveBufferBytes: 1 << 20,
      onDatagram: (datagram, from) => {
        datagrams.push(datagram);
        sources.push(from);
      },
      ...options,
    });
    return { port: lifetime.own(port), datagrams, sources };
  }

  /** What was sent and got lost, by code. */
  function way(from: DatagramPort, to: string, port: number) {
    const lost: [string, number][] = [];
    const remote = ip(to);
    const sender = from.connect({
      remote,
      port,
      onLost: (code, count) => lost.push([code, count]),
    });
    return { sender, lost };
  }

  /** No two of one size have the same content. */
  const datagram = (index: number, bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + index * 7) & 255);

  test.each([
    ['one size', Array.from({ length: 60 }, () => 1000)],
    ['a shorter one now and then', [800, 800, 300, 800, 800, 800, 1, 800, 800]],
    ['longer and longer', [10, 20, 30, 40, 50, 60]],
    ['shorter and shorter', [60, 50, 40, 30, 20, 10]],
    ['more than a message holds', Array.from({ length: 30 }, () => 4000)],
    ['more of them than a message holds', Array.from({ length: 150 }, () => 16)],
    ['none of two fit together', [40_000, 39_000]],
  ])('brings over what one callback sends, in order and each by itself: %s', async (_, sizes) => {
    const { port: from } = await portAt('127.0.0.2');
    const { port: to, datagrams, sources } = await portAt('127.0.0.1');
    const { sender, lost } = way(from, '127.0.0.1', to.port);
    const sent = sizes.map((bytes, index) => datagram(index, bytes));
    // node:dgram takes less before it is connected.
    expect(sender.send(datagram(0, 9))).toBe(true);
    await until(() => datagrams.length === 1);
    for (const each of sent) expect(sender.send(each)).toBe(true);
    await until(() => datagrams.length === 1 + sent.length);
    expect(datagrams.slice(1).map((each) => Buffer.from(each).toString('hex'))).toEqual(
      sent.map((each) => Buffer.from(each).toString('hex')),
    );
    expect(new Set(sources)).toEqual(new Set(['127.0.0.2']));
    expect(lost).toEqual([]);
  });

  test('carries the largest datagram, and an empty one', async () => {
    const { port: from } = await portAt('127.0.0.2');
    const { port: to, datagrams } = await portAt('127.0.0.1');
    const { sender } = way(from, '127.0.0.1', to.port);
    for (const bytes of [65_507, 0]) sender.send(datagram(1, bytes));
    await until(() => datagrams.length === 2);
    expect(datagrams.map((each) => each.length)).toEqual([65_507, 0]);
  });

  test('what was received stays as it is', async () => {
    const { port: from } = await portAt('127.0.0.2');
    const { port: to, datagrams } = await portAt('127.0.0.1');
    const { sender } = way(from, '127.0.0.1', to.port);
    const sizes = Array.from(
      { length: 40 },
      (_, index) => [60, 1472, 9000, 60_000][index % 4] ?? 0,
    );
    for (const [index, bytes] of sizes.entries()) {
      sender.send(datagram(index, bytes));
      await until(() => datagrams.length === index + 1);
    }
    for (const [index, bytes] of sizes.entries())
      expect(Buffer.compare(datagrams[index] ?? Buffer.of(), datagram(index, bytes))).toBe(0);
  });

  test.runIf(hasIpv6)('goes over IPv6', async () => {
    const { port: from, datagrams: back } = await portAt('::1');
    const { port: to, datagrams, sources } = await portAt('::1');
    way(from, '::1', to.port).sender.send(datagram(1, 100));
    await until(() => datagrams.length === 1);
    way(to, '::1', from.port).sender.send(datagram(2, 200));
    await until(() => back.length === 1);
    expect([sources, back[0]?.length]).toEqual([['::1'], 200]);
  });

  test('each sender has a source port of its own, and what comes there harms nobody', async () => {
    const { port: from, datagrams } = await portAt('127.0.0.2');
    const { port: to, datagrams: taken } = await portAt('127.0.0.1');
    const { sender, lost } = way(from, '127.0.0.1', to.port);
    sender.send(datagram(1, 50));
    await until(() => taken.length === 1);
    sender.send(datagram(2, 50));
    await until(() => taken.length === 2);
    expect([datagrams, lost]).toEqual([[], []]);
  });

  test('nobody listens there: what got lost is told, and what comes later arrives', async () => {
    const { port: from } = await portAt('127.0.0.2');
    const { port: gone } = await portAt('127.0.0.1');
    const { port: number } = gone;
    await gone.close();
    const { sender, lost } = way(from, '127.0.0.1', number);
    sender.send(datagram(1, 50));
    await until(() => lost.length > 0);
    expect(lost).toEqual([['ECONNREFUSED', 1]]);
    const { datagrams } = await portAt('127.0.0.1', { port: number });
    sender.send(datagram(2, 50));
    await until(() => datagrams.length === 1);
    expect(lost).toHaveLength(1);
  });

  test('an address and port that are taken are an error of the system', async () => {
    const { port } = await portAt('127.0.0.1');
    await expect(portAt('127.0.0.1', { port: port.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    await expect(portAt('192.0.2.1')).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  test('has the receive buffer that the system granted', async () => {
    const { port } = await portAt('127.0.0.1', { receiveBufferBytes: 65_536 });
    expect(port.receiveBufferBytes).toBe(131_072);
    expect(port.receiveErrors).toBe(0);
  });

  test('closes with its senders, twice, and hands out nothing afterwards', async () => {
    const { port: from } = await portAt('127.0.0.2');
    const { port: to, datagrams } = await portAt('127.0.0.1');
    const { sender } = way(from, '127.0.0.1', to.port);
    sender.send(datagram(1, 50));
    await until(() => datagrams.length === 1);
    const { port: number } = to;
    sender.send(datagram(2, 50));
    await Promise.all([to.close(), to.close()]);
    await from.close();
    await sender.close();
    const { datagrams: later } = await portAt('127.0.0.1', { port: number });
    const { port: other } = await portAt('127.0.0.2');
    way(other, '127.0.0.1', number).sender.send(datagram(3, 50));
    await until(() => later.length === 1);
    expect(datagrams).toHaveLength(1);
  });
});
