// A judge that finds nothing wrong is worth nothing: recordings with one thing changed must fail.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { judgeTrace } from './judge.ts';
import { readTrace, type Trace, type TraceEvent } from './trace.ts';

function recording(name: string): Trace {
  return readTrace(join(import.meta.dirname, 'ipvs', `${name}.json`));
}

/** The recording with the event at `index` changed. */
function tampered(name: string, index: number, change: Partial<TraceEvent>): Trace {
  const trace = recording(name);
  const events = trace.events.map((event, at) => (at === index ? { ...event, ...change } : event));
  return { ...trace, events };
}

describe('tells', () => {
  test.each<[string, string, number, Partial<TraceEvent>, string]>([
    ['another backend', 'rr-single', 2, { result: '10.2.0.9:8080' }, 'result'],
    ['an error that did not come', 'rr-single', 2, { error: 'ECONNREFUSED' }, 'error'],
    ['a wrong counter', 'rr-single', 2, { dests: [['10.2.0.1:8080', 1, 9, 9]] }, 'dests'],
    ['another state', 'sed-half', 2, { state: 'TIME_WAIT' }, 'state'],
    [
      'another entry',
      'lc-synrecv',
      0,
      { entry: { dest: '10.2.0.2:8080', state: 'CLOSE' } },
      'entry',
    ],
    ['an untranslated reply', 'rr-udp-ops', 1, { reply_from: '10.2.0.9:8080' }, 'reply_from'],
    ['an operation that fails', 'rr-remove-readd', 4, { dest: '10.2.0.9:8080' }, 'error'],
  ])('%s', async (_, name, index, change, what) => {
    expect(await judgeTrace(tampered(name, index, change))).toMatchObject({ index, what });
  });

  test('a connection table with a row too many, or far from expiring as recorded', async () => {
    const rows = recording('state-trace').events[1]?.result;
    if (!Array.isArray(rows)) throw new Error('the second event is the table');
    const late = [{ ...rows[0], expires: 890 }];
    for (const result of [[...rows, ...rows], late])
      expect(await judgeTrace(tampered('state-trace', 1, { result }))).toMatchObject({ index: 1 });
  });

  test('the other kernel generation apart', async () => {
    const trace = recording('wlc-overhead-formula');
    const swapped = { ...trace, valid_for_kernels: ['6.1.176'] };
    expect(await judgeTrace(swapped)).toMatchObject({ what: 'result' });
  });

  test('a random trace with another distribution', async () => {
    const trace = recording('twos-ops-bias-equal');
    const events = trace.events.map((event) =>
      event.op === 'udp'
        ? { ...event, result: '10.2.0.1:8080', reply_from: '10.2.0.1:8080' }
        : event,
    );
    const difference = await judgeTrace({ ...trace, events });
    expect(difference?.what).toContain('how often');
  });

  test('an event it does not know', async () => {
    await expect(judgeTrace(tampered('rr-single', 1, { op: 'reboot' }))).rejects.toThrow(
      'unknown op "reboot"',
    );
  });
});

test('understands services edited, sysctls set and services named in events', async () => {
  const trace: Trace = {
    id: 'made up',
    scheduler: 'rr',
    service: { addr: '10.96.0.1:80' },
    more_services: [{ addr: '10.96.0.1:443', scheduler: 'lc' }],
    dests: [{ dest: '10.2.0.1:8080', weight: 1 }],
    events: [
      { op: 'add', service: '10.96.0.1:443', dest: '10.2.0.2:8080', weight: 1 },
      {
        op: 'edit-service',
        scheduler: 'sh',
        flags: ['sh-port'],
        persistent: 30,
        netmask: '255.255.255.0',
      },
      { op: 'sysctl', name: 'net.ipv4.vs.expire_nodest_conn', value: 1 } as TraceEvent,
      {
        op: 'connect',
        conn: 'c1',
        src: '10.1.0.1:1000',
        dst: '10.96.0.1:80',
        result: '10.2.0.1:8080',
        dests: {
          '10.96.0.1:80': [['10.2.0.1:8080', 1, 1, 0]],
          '10.96.0.1:443': [['10.2.0.2:8080', 1, 0, 0]],
        },
      },
      {
        op: 'conntab',
        result: [
          {
            proto: 'TCP',
            c: '10.1.0.0:0',
            v: '10.96.0.1:80',
            d: '10.2.0.1:8080',
            state: 'ASSURED',
            expires: 30,
          },
          {
            proto: 'TCP',
            c: '10.1.0.1:1000',
            v: '10.96.0.1:80',
            d: '10.2.0.1:8080',
            state: 'ESTABLISHED',
            expires: 900,
          },
        ],
      },
      { op: 'remove', dest: '10.2.0.1:8080' },
      { op: 'echo', conn: 'c1', result: 'reset' },
      { op: 'remove', dest: '10.2.0.1:8080', error: 'ENOENT' },
    ],
  };
  expect(await judgeTrace(trace)).toBeUndefined();
});
