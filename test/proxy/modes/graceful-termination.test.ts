import { expect, test } from 'vitest';
import type { Connection } from '../../../src/proxy/ipvs/connection.ts';
import { GracefulTermination } from '../../../src/proxy/modes/graceful-termination.ts';
import { backend, DNS, director, type TestDirector, WEB } from '../ipvs/director.ts';

function connect({ verdict }: TestDirector, source: string): Connection {
  const outcome = verdict(source);
  if (outcome.kind !== 'forward') throw new Error(outcome.kind);
  return outcome.connection;
}

test('an idle server is deleted at once', () => {
  const made = director('rr', [1, 1]);
  const termination = new GracefulTermination(made.ipvs, made.clock);
  termination.remove(WEB, backend(1));
  expect(made.list()).toEqual([['10.2.0.2:8080', 1, 0, 0]]);
  expect(termination.has(WEB, backend(1))).toBe(false);
});

test('a busy one drains, and goes at the look a minute later when its last entry has gone', () => {
  const made = director('rr', [1, 1]);
  const termination = new GracefulTermination(made.ipvs, made.clock);
  const connection = connect(made, '10.1.0.1:1000');
  made.clock.advance(30_000);
  made.ipvs.serverPacket(connection, 'rst');
  termination.remove(WEB, backend(2));
  expect(made.list()[0]).toEqual(['10.2.0.2:8080', 0, 0, 1]);
  expect(termination.has(WEB, backend(2))).toBe(true);
  expect(made.send('10.1.0.1:1001')).toBe('10.2.0.1:8080');
  made.clock.advance(59_999);
  expect(made.list()).toHaveLength(2);
  made.clock.advance(1);
  expect(made.list()).toHaveLength(1);
  expect(termination.has(WEB, backend(2))).toBe(false);
});

test('UDP does not wait for its entries', () => {
  const made = director('rr', [1, 1], { service: DNS });
  const termination = new GracefulTermination(made.ipvs, made.clock);
  connect(made, '10.1.0.1:1000');
  termination.remove(DNS, backend(2));
  expect(made.list()).toEqual([['10.2.0.1:8080', 1, 0, 0]]);
});

test('one that reappears is deleted and comes back at the head with its counters', () => {
  const made = director('rr', [1, 1]);
  const termination = new GracefulTermination(made.ipvs, made.clock);
  connect(made, '10.1.0.1:1000');
  connect(made, '10.1.0.1:1001');
  termination.remove(WEB, backend(1));
  expect(termination.has(WEB, backend(1))).toBe(true);
  termination.recall(WEB, backend(1));
  expect(termination.has(WEB, backend(1))).toBe(false);
  made.ipvs.addDestination(WEB, backend(1), { weight: 1 });
  expect(made.list()).toEqual([
    ['10.2.0.1:8080', 1, 1, 0],
    ['10.2.0.2:8080', 1, 1, 0],
  ]);
});

test('holds no timer when nothing terminates', async () => {
  const made = director('rr', [1, 1]);
  const termination = new GracefulTermination(made.ipvs, made.clock);
  connect(made, '10.1.0.1:1000');
  termination.remove(WEB, backend(2));
  termination.close();
  await made.ipvs.close();
  expect(made.clock.pending).toBe(0);
});
