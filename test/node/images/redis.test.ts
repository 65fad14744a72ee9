import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { encodeReply, parseRequest } from '../../../src/node/images/redis-image.ts';
import { RedisStore } from '../../../src/node/images/redis-store.ts';

function run(store: RedisStore, line: string): string {
  return encodeReply(store.execute(line.split(' '))).toString();
}

test('a session', () => {
  const store = new RedisStore(new ManualClock());
  const session = [
    ['PING', '+PONG'],
    ['ECHO hello', '$5 hello'],
    ['SET k v', '+OK'],
    ['GET k', '$1 v'],
    ['GET missing', '$-1'],
    ['SET k w NX', '$-1'],
    ['SET k w XX', '+OK'],
    ['INCR n', ':1'],
    ['INCRBY n 41', ':42'],
    ['DECR n', ':41'],
    ['INCR k', '-ERR value is not an integer or out of range'],
    ['RPUSH l a b', ':2'],
    ['LPUSH l z', ':3'],
    ['LRANGE l 0 -1', '*3 $1 z $1 a $1 b'],
    ['LRANGE l 1 1', '*1 $1 a'],
    ['GET l', '-WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['TYPE l', '+list'],
    ['KEYS ?', '*3 $1 k $1 n $1 l'],
    ['DEL k l', ':2'],
    ['EXISTS k n', ':1'],
    ['GET', "-ERR wrong number of arguments for 'get' command"],
    ['FLY', "-ERR unknown command 'FLY'"],
    ['FLUSHALL', '+OK'],
    ['DBSIZE', ':0'],
  ];
  const replies = session.map(([line = '']) => [
    line,
    run(store, line).trimEnd().replaceAll('\r\n', ' '),
  ]);
  expect(replies).toEqual(session);
});

test('keys expire on the clock', () => {
  const clock = new ManualClock();
  const store = new RedisStore(clock);
  run(store, 'SET k v EX 10');
  expect(run(store, 'TTL k')).toBe(':10\r\n');
  clock.advance(9_999);
  expect(run(store, 'GET k')).toBe('$1\r\nv\r\n');
  clock.advance(1);
  expect(run(store, 'GET k')).toBe('$-1\r\n');
  expect(run(store, 'TTL k')).toBe(':-2\r\n');
});

describe('requests', () => {
  test('arrays of bulk strings, also binary ones', () => {
    const request = Buffer.from('*2\r\n$4\r\nECHO\r\n$3\r\n\r\n\x00\r\nrest', 'latin1');
    expect(parseRequest(request)).toEqual({ words: ['ECHO', '\r\n\x00'], length: 23 });
  });

  test('inline commands', () =>
    expect(parseRequest(Buffer.from('PING\r\n'))).toEqual({ words: ['PING'], length: 6 }));

  test.each(['*2\r\n$4\r\nEC', '*2\r\n', 'PI'])('%j is incomplete', (text) =>
    expect(parseRequest(Buffer.from(text))).toBe('incomplete'),
  );

  test.each(['*x\r\n', '*1\r\n+4\r\n', '*1\r\n$-1\r\n'])('%j is invalid', (text) =>
    expect(parseRequest(Buffer.from(text))).toBe('invalid'),
  );
});
