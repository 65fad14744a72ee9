import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import type { Balancer } from '../../../src/bench/algorithms/balancer.ts';
import { messageFormat } from '../../../src/bench/live/message-format.ts';
import { RequestWatch } from '../../../src/bench/live/request-watch.ts';

const format = messageFormat('HTTP');
const request = (id: number): Buffer => Buffer.from(format.request(id), 'latin1');
const response = (id: number): Buffer => Buffer.from(format.response(id, 1), 'latin1');

/** A watch over a connection to backend 1, with what its balancer heard. */
function watched() {
  const clock = new ManualClock();
  const inSystem = new Int32Array(2);
  const heard: string[] = [];
  const balancer: Balancer = {
    update: () => {},
    open: () => 1,
    close: () => {},
    requestStarted: (backend) => heard.push(`started ${backend}`),
    requestEnded: (backend, latencyMs) => heard.push(`ended ${backend} after ${latencyMs}`),
  };
  const watch = new RequestWatch({ format, balancer, inSystem, clock }, 1);
  return { watch, clock, inSystem, heard };
}

test('the first request counts from the opening on, and once', () => {
  const { watch, clock, inSystem, heard } = watched();
  clock.advance(3);
  watch.fromClient(request(7));
  clock.advance(10);
  expect([...inSystem]).toEqual([0, 1]);
  watch.fromServer(response(7));
  watch.end();
  expect(heard).toEqual(['started 1', 'ended 1 after 13']);
  expect([...inSystem]).toEqual([0, 0]);
});

test('requests of one connection overlap, and answers come in any order and in pieces', () => {
  const { watch, clock, inSystem, heard } = watched();
  const both = Buffer.concat([request(1), request(2)]);
  watch.fromClient(both.subarray(0, 30));
  clock.advance(5);
  watch.fromClient(both.subarray(30));
  expect([...inSystem]).toEqual([0, 2]);
  clock.advance(5);
  watch.fromServer(response(2));
  watch.fromServer(response(1));
  expect(heard).toEqual(['started 1', 'started 1', 'ended 1 after 5', 'ended 1 after 10']);
});

test('what was not answered ends with the connection', () => {
  const unused = watched();
  unused.watch.end();
  unused.watch.end();
  expect(unused.heard).toEqual(['started 1', 'ended 1 after 0']);
  const waiting = watched();
  waiting.watch.fromClient(Buffer.concat([request(1), request(2)]));
  waiting.watch.end();
  expect([...waiting.inSystem]).toEqual([0, 0]);
  // An answer after the end is nobody's.
  waiting.watch.fromServer(response(1));
  expect([...waiting.inSystem]).toEqual([0, 0]);
});
