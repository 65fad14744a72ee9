import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import type { Dialer } from '../../../src/proxy/dialer.ts';
import type { ConnectionEvent, Decision, SocketAddress } from '../../../src/proxy/flow.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import type { DatagramListener } from '../../../src/proxy/udp/datagram-listener.ts';
import { UdpForwarder } from '../../../src/proxy/udp/udp-forwarder.ts';

const CLIENT = { address: '192.0.2.9', port: 5353 };
const ENDPOINT = { address: '192.0.2.50', port: 53 };
const FORWARD: Decision = { kind: 'forward', endpoint: ENDPOINT, masquerade: false };

/** A forwarder in virtual time; channels are arrays of what went through. */
function setUp(options: { maxFlows?: number } = {}) {
  const clock = new ManualClock();
  const sent: string[] = [];
  const answered: string[] = [];
  const sources: string[] = [];
  const receivers: ((message: Uint8Array) => void)[] = [];
  let closed = 0;
  const dialer: Dialer = {
    stream: () => ({ kind: 'dial', ...ENDPOINT }),
    datagrams: (endpoint, source) => ({
      kind: 'channel',
      open: (receive) => {
        sources.push(source);
        receivers.push(receive);
        return {
          send: (message) => sent.push(`${endpoint.address} ${Buffer.from(message).toString()}`),
          close: () => {
            closed += 1;
          },
        };
      },
    }),
  };
  const listener = {
    local: { address: '192.0.2.1', port: 53 },
    send: (message: Uint8Array, to: SocketAddress) =>
      answered.push(`${to.address} ${Buffer.from(message).toString()}`),
  } as unknown as DatagramListener;
  const context = nodeContext({ nodeIPs: ['192.0.2.2'] });
  const forwarder = new UdpForwarder({ clock, dialer, context, ...options });
  const ask = (text: string, client = CLIENT, decision: Decision = FORWARD): void =>
    forwarder.forward(listener, Buffer.from(text), client, () => decision);
  const reply = (text: string, flow = 0): void => receivers[flow]?.(Buffer.from(text));
  return { clock, forwarder, ask, reply, sent, answered, sources, closedCount: () => closed };
}

describe('UDP flows', () => {
  test('carry both ways, deciding once', () => {
    const { forwarder, ask, reply, sent, answered, sources } = setUp();
    ask('one');
    ask('two');
    reply('answer');
    expect(sent).toEqual(['192.0.2.50 one', '192.0.2.50 two']);
    expect(answered).toEqual(['192.0.2.9 answer']);
    expect(sources).toEqual(['192.0.2.9']);
    expect(forwarder.size).toBe(1);
    forwarder.endAll();
  });

  test('show the node when masqueraded', () => {
    const { forwarder, ask, sources } = setUp();
    ask('hello', CLIENT, { ...FORWARD, masquerade: true });
    expect(sources).toEqual(['192.0.2.2']);
    forwarder.endAll();
  });

  test.each([
    ['unreplied', false, 0, 30_000],
    ['a question and its answer', true, 0, 30_000],
    ['a stream', true, 2001, 120_000],
  ])('last as conntrack lets them: %s', (_name, replied, laterMs, expectedMs) => {
    const { clock, forwarder, ask, reply, closedCount } = setUp();
    ask('hello');
    if (replied) reply('hi');
    clock.advance(laterMs);
    if (laterMs > 0) ask('again');
    const [flow] = forwarder.flows;
    expect(flow?.state.assured).toBe(expectedMs === 120_000);
    clock.advance(expectedMs - 1);
    expect(forwarder.size).toBe(1);
    clock.advance(10);
    expect(forwarder.size).toBe(0);
    expect(closedCount()).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('traffic either way puts the end off', () => {
    const { clock, forwarder, ask, reply } = setUp();
    ask('hello');
    clock.advance(20_000);
    reply('late answer');
    clock.advance(119_999);
    expect(forwarder.size).toBe(1);
    clock.advance(10);
    expect(forwarder.size).toBe(0);
  });

  test('end after 250 ms of silence in userspace mode, and not because the endpoint is gone', () => {
    const { clock, forwarder, ask } = setUp();
    const relay = { dialTimeoutMs: 250, udpIdleTimeoutMs: 250, retry: (): Decision => FORWARD };
    ask('hello', CLIENT, { ...FORWARD, relay });
    forwarder.endStale(() => true);
    expect(forwarder.size).toBe(1);
    clock.advance(249);
    expect(forwarder.size).toBe(1);
    clock.advance(10);
    expect(forwarder.size).toBe(0);
  });

  test('end when stale, and the next datagram finds another endpoint', () => {
    const { forwarder, ask, sent } = setUp();
    ask('one');
    forwarder.endStale(({ endpoint }) => endpoint.address === ENDPOINT.address);
    expect(forwarder.counters.stale).toBe(1);
    ask('two', CLIENT, {
      ...FORWARD,
      endpoint: { address: '192.0.2.51', port: 53 },
    });
    expect(sent).toEqual(['192.0.2.50 one', '192.0.2.51 two']);
    forwarder.endAll();
  });

  test('that ended as stale leave their late answers to the flow that follows', () => {
    const { clock, forwarder, ask, reply, answered, closedCount } = setUp();
    ask('one');
    forwarder.endStale(() => true);
    ask('two');
    reply('answer to one', 0);
    reply('answer to two', 1);
    expect(answered).toEqual(['192.0.2.9 answer to one', '192.0.2.9 answer to two']);
    // A late answer keeps no flow alive.
    expect([...forwarder.flows][0]?.state.replied).toBe(true);
    clock.advance(5000);
    expect(closedCount()).toBe(1);
    forwarder.endAll();
    expect(closedCount()).toBe(2);
    expect(clock.pending).toBe(0);
  });

  test('that wait for late answers are bounded: the oldest give way', () => {
    const { forwarder, ask, closedCount } = setUp();
    for (let port = 1; port <= 4100; port += 1) ask('hello', { ...CLIENT, port });
    forwarder.endStale(() => true);
    expect(closedCount()).toBe(4);
    forwarder.endAll();
    expect(closedCount()).toBe(4100);
  });

  test('are bounded: what would begin one more is dropped', () => {
    const { forwarder, ask, sent } = setUp({ maxFlows: 2 });
    for (const port of [1, 2, 3]) ask(String(port), { ...CLIENT, port });
    ask('1 again', { ...CLIENT, port: 1 });
    expect(sent.map((line) => line.split(' ').slice(1).join(' '))).toEqual(['1', '2', '1 again']);
    expect(forwarder.counters).toEqual({ started: 2, stale: 0, tableFull: 1 });
    forwarder.endAll();
  });

  test('are not begun by datagrams that are dropped or rejected', () => {
    const { forwarder, ask, sent } = setUp();
    ask('a', CLIENT, { kind: 'drop', reason: 'no local endpoints' });
    ask('b', CLIENT, { kind: 'reject', reason: 'no endpoints' });
    expect(sent).toEqual([]);
    expect(forwarder.size).toBe(0);
  });

  test('tell their binding, and end when the mode revokes them', () => {
    const { clock, forwarder, ask, reply, answered, closedCount } = setUp();
    const events: ConnectionEvent[] = [];
    let revoke = (): void => {};
    ask('hello', CLIENT, {
      ...FORWARD,
      binding: {
        event: (event) => events.push(event),
        onRevoked: (listener) => {
          revoke = listener;
        },
      },
    });
    revoke();
    expect(events).toEqual(['established', 'closed']);
    expect(forwarder.size).toBe(0);
    // What was asked before may still be answered.
    reply('late');
    expect(answered).toEqual(['192.0.2.9 late']);
    clock.advance(4999);
    expect(closedCount()).toBe(0);
    clock.advance(1);
    expect(closedCount()).toBe(1);
    expect(clock.pending).toBe(0);
  });
});
