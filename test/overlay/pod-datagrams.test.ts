import { describe, expect, test } from 'vitest';
import { PodDatagrams } from '../../src/overlay/pod-datagrams.ts';
import { openChannel } from '../../src/overlay/datagram-channel.ts';
import { writeUint16, writeUint32 } from '../../src/wire/bytes.ts';
import { IP_AT, TRANSPORT_AT, udpFrame } from '../netstack/frames.ts';
import { CLIENT, POD, StackPair } from './stack-pair.ts';

/** That may be open at once. */
const MAX_PORTS = 16_384;

function setUp() {
  const pair = new StackPair();
  const log: string[] = [];
  const datagrams = new PodDatagrams({
    driver: pair.node,
    clock: pair.clock,
    isPod: (address) => address === POD,
    dialPodDatagrams: ({ port, source }, receive) => {
      log.push(`open ${source} > ${port}`);
      return {
        send: (message) => receive(message),
        close: () => log.push('close'),
      };
    },
  });
  pair.filter = (bytes, from, to) => {
    datagrams.look(bytes, from, to);
    return false;
  };
  const answers: number[] = [];
  const channel = openChannel(pair.client, { source: CLIENT, address: POD, port: 53 }, (message) =>
    answers.push(message.length),
  );
  const send = (bytes: number): void => {
    channel?.send(new Uint8Array(bytes));
    pair.clock.advance(20);
  };
  return { pair, datagrams, log, answers, send };
}

describe('PodDatagrams', () => {
  test('a flow ends two minutes after its last datagram, and its port with it', () => {
    const { pair, log, answers, send } = setUp();
    send(10);
    pair.clock.advance(119_000);
    send(20);
    pair.clock.advance(119_000);
    expect([answers, log]).toEqual([[10, 20], ['open 10.244.1.5 > 53']]);
    pair.clock.advance(2000);
    expect(log).toEqual(['open 10.244.1.5 > 53', 'close']);
    send(30);
    expect([answers.at(-1), log.length]).toEqual([30, 3]);
  });

  test('a pod that is removed and the end close everything', () => {
    const { pair, datagrams, log, send } = setUp();
    send(10);
    datagrams.removePod(POD);
    expect(log.at(-1)).toBe('close');
    send(10);
    datagrams.end();
    expect(log.filter((line) => line === 'close')).toHaveLength(2);
    pair.clock.advance(600_000);
    expect(pair.clock.pending).toBe(0);
  });

  test('ports that nothing whole ever came to make room for others', () => {
    const { datagrams, answers, send } = setUp();
    const frame = udpFrame({ sourcePort: 53, destinationPort: 0 }, new Uint8Array(1));
    writeUint32(frame, IP_AT + 16, POD);
    // Seen here, lost before the stack.
    for (let port = 1000; port < 1000 + MAX_PORTS; port += 1) {
      writeUint16(frame, TRANSPORT_AT + 2, port);
      datagrams.look(frame, 0, frame.length);
    }
    send(10);
    expect(answers).toEqual([10]);
  });

  test("other addresses are the stack's business", () => {
    const { pair, datagrams, log } = setUp();
    const other = openChannel(
      pair.client,
      { source: CLIENT, address: POD + 1, port: 53 },
      () => undefined,
    );
    other?.send(new Uint8Array(1));
    pair.clock.advance(10_000);
    expect([log, datagrams.counters.opened]).toEqual([[], 0]);
  });
});
