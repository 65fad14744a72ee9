import { expect, test } from 'vitest';
import { TCP_CONGESTION } from '../../../../src/base/linux/abi.ts';
import { encodeSockaddr } from '../../../../src/base/linux/sockaddr.ts';
import type { Linux, SystemCalls } from '../../../../src/base/linux/system-calls.ts';
import { LoopbackCongestion } from '../../../../src/proxy/engine/linux/loopback-congestion.ts';
import { TcpSockets } from '../../../../src/proxy/engine/linux/tcp-sockets.ts';

/** A kernel that allows these congestion controls, and the names it was asked for. */
function kernel(allowed: readonly string[]) {
  const asked: string[] = [];
  const memory = new Map<number, Uint8Array>();
  const calls: Partial<SystemCalls> = {
    socket: () => 3,
    setsockopt: (_fd, _level, option, value, bytes) => {
      if (option !== TCP_CONGESTION) return 0;
      const start = [...memory.keys()].findLast((address) => address <= value) ?? 0;
      const from = value - start;
      const name = Buffer.from(memory.get(start)?.subarray(from, from + bytes) ?? []).toString();
      asked.push(name);
      return allowed.includes(name) ? 0 : -1;
    },
  };
  const linux = {
    calls,
    map: (bytes: number) => {
      const buffer = new ArrayBuffer(bytes);
      const address = 4096 * (memory.size + 1);
      memory.set(address, new Uint8Array(buffer));
      return { address, buffer, unmap: () => {} };
    },
  } as unknown as Linux;
  return { linux, asked };
}

test.each([
  ['cubic', ['reno', 'cubic'], []],
  ['reno', ['reno', 'cubic'], []],
  ['bbr', ['reno', 'cubic', 'bbr'], ['cubic', 'cubic']],
  ['bbr', ['reno', 'bbr'], ['cubic', 'reno', 'reno']],
  ['', ['reno', 'cubic'], ['cubic', 'cubic']],
  ['bbr', [], ['cubic', 'reno']],
])(
  'where %s is the default and %j are allowed, two sockets ask for %j',
  (byDefault, allowed, names) => {
    const { linux, asked } = kernel(allowed);
    const congestion = new LoopbackCongestion(linux, byDefault);
    congestion.apply(3);
    congestion.apply(4);
    expect(asked).toEqual(names);
  },
);

test('only sockets for loopback addresses are changed', () => {
  const { linux, asked } = kernel(['cubic']);
  const sockets = new TcpSockets(linux, new LoopbackCongestion(linux, 'bbr'));
  const changed = [
    '127.0.0.1',
    '127.244.0.9',
    '10.96.0.1',
    '0.0.0.0',
    '::1',
    '::',
    '2001:db8::1',
  ].filter((address) => {
    asked.length = 0;
    encodeSockaddr({ address, port: 80 }, new Uint8Array(sockets.sockaddr.buffer));
    sockets.open();
    return asked.length > 0;
  });
  expect(changed).toEqual(['127.0.0.1', '127.244.0.9', '::1']);
});
