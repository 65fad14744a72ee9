import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { PodGate } from '../../src/overlay/pod-gate.ts';
import { CLIENT, POD, StackPair } from './stack-pair.ts';

function setUp() {
  const pair = new StackPair();
  const dialled: PassThrough[] = [];
  const gate = new PodGate({
    driver: pair.node,
    netInterface: pair.netInterface,
    clock: pair.clock,
    isPod: (address) => address === POD,
    dialPod: () => {
      const stream = new PassThrough();
      dialled.push(stream);
      return stream;
    },
  });
  let isDeaf = false;
  pair.filter = (bytes, from, to) => isDeaf || gate.intercept(bytes, from, to);
  const events: string[] = [];
  const connect = (port: number): void => {
    pair.client.stack.tcp.connect(
      pair.clock.now(),
      { address: POD, port, source: CLIENT },
      {
        connected: () => events.push('connected'),
        closed: (reason) => events.push(reason),
      },
    );
  };
  const goDeaf = (): void => {
    isDeaf = true;
  };
  return { pair, gate, dialled, events, connect, goDeaf };
}

const closed = () => new Promise((resolve) => setImmediate(resolve));

describe('PodGate', () => {
  test('a SYN waits for its pod; the ones sent again meanwhile dial nobody', () => {
    const { pair, gate, dialled, events, connect } = setUp();
    connect(80);
    pair.clock.advance(4000);
    expect([dialled.length, events, gate.size]).toEqual([1, [], 1]);
    dialled[0]?.emit('connect');
    pair.clock.advance(10);
    expect([events, gate.counters.accepted]).toEqual([['connected'], 1]);
  });

  test('a pod that refuses refuses its client', async () => {
    const { pair, gate, dialled, events, connect } = setUp();
    connect(80);
    pair.clock.advance(10);
    dialled[0]?.destroy(new Error('ECONNREFUSED'));
    await closed();
    pair.clock.advance(10);
    expect([events, gate.counters.refused, gate.size]).toEqual([['refused'], 1, 0]);
  });

  test('a client that never finishes its handshake gives the pod back', async () => {
    const { pair, gate, dialled, connect, goDeaf } = setUp();
    connect(80);
    pair.clock.advance(10);
    goDeaf();
    dialled[0]?.emit('connect');
    pair.clock.advance(75_000);
    await closed();
    expect([dialled[0]?.destroyed, gate.counters.abandoned, gate.size]).toEqual([true, 1, 0]);
  });

  test('SYNs beyond the limit are dropped and counted', () => {
    const { pair, gate, dialled, connect } = setUp();
    for (let port = 1; port <= 4100; port += 1) connect(port);
    pair.clock.advance(10);
    expect([dialled.length, pair.node.stack.drops.count('tcp-backlog-full')]).toEqual([4096, 4]);
    gate.end();
    expect(dialled.every((stream) => stream.destroyed)).toBe(true);
  });
});
