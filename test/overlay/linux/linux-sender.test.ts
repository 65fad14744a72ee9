import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  EAGAIN,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENETUNREACH,
  ENOBUFS,
} from '../../../src/base/linux/abi.ts';
import type { Linux, SystemCalls } from '../../../src/base/linux/system-calls.ts';
import { type DatagramPort, MAX_QUEUED_BYTES } from '../../../src/overlay/datagram-port.ts';
import { openLinuxDatagramPort } from '../../../src/overlay/linux/linux-datagram-port.ts';
import { linuxDatagrams } from '../../../src/overlay/open-datagram-port.ts';
import { ip } from '../../ipam/addresses.ts';
import { until } from '../../support/until.ts';

const probe = linuxDatagrams();

describe.skipIf(probe.kind !== 'works')('sending by system calls', () => {
  let ports: DatagramPort[];
  /** Lengths of what arrived. */
  let arrived: number[];
  /** How many messages each sendmmsg was asked for and sent; a number in {@link failures} is its errno instead. */
  let calls: { asked: number; sent: number }[];
  let failures: number[];
  let lost: [string, number][];

  beforeEach(() => {
    ports = [];
    arrived = [];
    calls = [];
    failures = [];
    lost = [];
  });

  afterEach(() => Promise.all(ports.map((port) => port.close())));

  /** The system, whose sendmmsg fails as {@link failures} has it. */
  function faulty(overrides: Partial<SystemCalls> = {}): Linux {
    if (probe.kind !== 'works') throw new Error('skipped');
    const { linux } = probe;
    let errno: number | undefined;
    return {
      ...linux,
      calls: {
        ...linux.calls,
        errno: () => errno ?? linux.calls.errno(),
        sendmmsg(fd, headers, asked, flags) {
          errno = failures.shift();
          const sent = errno === undefined ? linux.calls.sendmmsg(fd, headers, asked, flags) : -1;
          calls.push({ asked, sent });
          return sent;
        },
        ...overrides,
      },
    };
  }

  function openSender(linux: Linux = faulty()) {
    const options = { port: 0, receiveBufferBytes: 1 << 20 };
    const onDatagram = (datagram: Uint8Array): void => void arrived.push(datagram.length);
    const to = openLinuxDatagramPort(linux, { ...options, address: ip('127.0.0.1'), onDatagram });
    const from = openLinuxDatagramPort(linux, {
      ...options,
      address: ip('127.0.0.2'),
      onDatagram: () => undefined,
    });
    ports.push(from, to);
    return from.connect({
      remote: to.port === 0 ? ip('127.0.0.9') : ip('127.0.0.1'),
      port: to.port,
      onLost: (code, datagrams) => lost.push([code, datagrams]),
    });
  }

  const of = (bytes: number): Uint8Array => new Uint8Array(bytes);

  test('one callback is one call, and a run of one size is one message', async () => {
    const sender = openSender();
    const returned: Uint8Array[] = [];
    const sent = [500, 500, 500, 200, 500, 40].map(of);
    for (const each of sent) sender.send(each, (back) => returned.push(back));
    expect(calls).toEqual([]);
    await until(() => arrived.length === 6);
    expect(arrived).toEqual([500, 500, 500, 200, 500, 40]);
    expect(calls).toEqual([{ asked: 2, sent: 2 }]);
    expect(returned).toEqual(sent);
  });

  test('much goes out before the callback has ended', () => {
    const sender = openSender();
    for (let index = 0; index < 3; index += 1) sender.send(of(50_000));
    expect(calls).toEqual([{ asked: 3, sent: 3 }]);
  });

  test.each([
    ['EIO', EIO],
    ['EINVAL', EINVAL],
    ['EMSGSIZE', EMSGSIZE],
  ])('goes on without segmentation after %s', async (_, errno) => {
    const sender = openSender();
    failures = [errno];
    for (const bytes of [500, 500, 500]) sender.send(of(bytes));
    await until(() => arrived.length === 3);
    expect(calls).toEqual([
      { asked: 1, sent: -1 },
      { asked: 3, sent: 3 },
    ]);
    expect(lost).toEqual([]);
  });

  test.each([
    ['EAGAIN', EAGAIN],
    ['ENOBUFS', ENOBUFS],
  ])('waits after %s until the system takes more, in order', async (_, errno) => {
    const sender = openSender();
    failures = [errno];
    sender.send(of(10));
    await until(() => calls.length > 0);
    sender.send(of(20));
    sender.send(of(30));
    await until(() => arrived.length === 3);
    expect(arrived).toEqual([10, 20, 30]);
    expect(lost).toEqual([]);
  });

  test('what waits is bounded', () => {
    const sender = openSender();
    failures = [EAGAIN];
    let taken = 0;
    while (sender.send(of(60_000))) taken += 1;
    expect(taken).toBe(Math.floor(MAX_QUEUED_BYTES / 60_000) + 1);
    expect(calls).toHaveLength(1);
  });

  test('what cannot be sent is lost and told, and the rest goes on', async () => {
    const sender = openSender();
    failures = [ENETUNREACH];
    sender.send(of(10));
    sender.send(of(20));
    await until(() => arrived.length === 1);
    expect([arrived, lost]).toEqual([[20], [['ENETUNREACH', 1]]]);
  });

  test('a socket that cannot be had is tried again with the next datagram', async () => {
    let refusals = 1;
    const linux = faulty();
    const sender = openSender({
      ...linux,
      calls: {
        ...linux.calls,
        connect: (...args) =>
          (refusals -= 1) >= 0 ? linux.calls.connect(-1, 0, 0) : linux.calls.connect(...args),
      },
    });
    sender.send(of(10));
    sender.send(of(20));
    await until(() => lost.length > 0);
    expect(lost).toEqual([['EBADF', 2]]);
    sender.send(of(30));
    await until(() => arrived.length === 1);
    expect(arrived).toEqual([30]);
  });
});
