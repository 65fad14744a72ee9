import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { LinkShaper } from '../../src/overlay/link-shaper.ts';

const DATAGRAM = new Uint8Array(100);

function shaper() {
  const clock = new ManualClock();
  const subject = new LinkShaper({ clock, random: seededRandom('faults') });
  const log: string[] = [];
  const send = (peer: string, direction: 'outbound' | 'inbound' = 'outbound') =>
    subject[direction](
      peer,
      DATAGRAM,
      () => log.push(`${peer} at ${clock.now()}`),
      (reason) => log.push(`${peer} ${reason}`),
    );
  return { clock, subject, log, send };
}

describe('LinkShaper', () => {
  test('a healthy link passes at once', () => {
    const { log, send, subject } = shaper();
    send('a');
    expect([log, subject.isIdle]).toEqual([['a at 0'], true]);
  });

  test('a fault of one peer is not that of another, nor of the other direction', () => {
    const { log, send, subject } = shaper();
    subject.setFaults('a', 'outbound', { isPartitioned: true });
    send('a');
    send('b');
    send('a', 'inbound');
    expect(log).toEqual(['a fault-partition', 'b at 0', 'a at 0']);
  });

  test('a fault of all holds where a peer has none of its own', () => {
    const { clock, log, send, subject } = shaper();
    subject.setFaults('*', 'outbound', { isPartitioned: true });
    subject.setFaults('a', 'outbound', { delayMs: 5 });
    send('a');
    send('b');
    clock.advance(5);
    subject.setFaults('a', 'outbound', undefined);
    send('a');
    expect(log).toEqual(['b fault-partition', 'a at 5', 'a fault-partition']);
  });

  test('what is on its way stays so when the faults change, and is forgotten at the end', () => {
    const { clock, log, send, subject } = shaper();
    subject.setFaults('a', 'outbound', { delayMs: 5 });
    send('a');
    subject.setFaults('a', 'outbound', undefined);
    clock.advance(5);
    expect([log, subject.isIdle]).toEqual([['a at 5'], true]);
    subject.setFaults('a', 'outbound', { delayMs: 5 });
    send('a');
    subject.end();
    expect(clock.pending).toBe(0);
  });

  test('bad faults change nothing', () => {
    const { subject } = shaper();
    expect(() => subject.setFaults('a', 'outbound', { delayMs: -1 })).toThrow(RangeError);
    expect(subject.isIdle).toBe(true);
  });
});
