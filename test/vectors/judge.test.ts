// A judge that finds nothing wrong is worth nothing: recordings with one thing changed must fail.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { judgeTrace } from './judge.ts';
import { type DestRow, readTrace, type Trace, type TraceEvent } from './trace.ts';
import { unknownFields } from './trace-fields.ts';

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

describe('does not pass over', () => {
  const made: Trace = {
    id: 'made up',
    scheduler: 'rr',
    service: { addr: '10.96.0.1:80' },
    dests: [{ dest: '10.2.0.1:8080', weight: 1 }],
    events: [],
  };

  test.each<[string, object, string]>([
    ['a field of the trace', { timeouts: { tcp: 1 } }, 'trace: unknown field "timeouts"'],
    [
      'a setting of the service',
      { service: { addr: '10.96.0.1:80', pe: 'sip' } },
      'service: unknown field "pe"',
    ],
    [
      'a setting of a destination',
      { dests: [{ dest: '10.2.0.1:8080', forward: 'g' }] },
      '"forward"',
    ],
    ['a condition', { environment: { loss: 0.1 } }, 'environment: unknown field "loss"'],
    ['a field of an event', { events: [{ op: 'wait', seconds: 1, hours: 1 }] }, 'event 0: unknown'],
  ])('%s', (_, change, problem) => {
    expect(unknownFields({ ...made, ...change }).join()).toContain(problem);
  });

  test.each<[string, object, string]>([
    ['a sysctl', { sysctls: { sloppy_tcp: 1 } }, 'unknown sysctl "sloppy_tcp"'],
    [
      'a sysctl set on the way',
      { events: [{ op: 'sysctl', name: 'drop_entry', value: 1 }] },
      'unknown sysctl "drop_entry"',
    ],
    ['a sysctl event without one', { events: [{ op: 'sysctl' }] }, 'names no setting'],
    ['a scheduler flag', { flags: ['wlc-port'] }, 'unknown flag "wlc-port"'],
    ['a scheduler', { scheduler: 'best' }, 'unknown scheduler "best"'],
    [
      'a service that is not there',
      { events: [{ op: 'add', service: '10.96.0.9:80', dest: '10.2.0.2:8080' }] },
      'no service 10.96.0.9:80',
    ],
    ['a protocol', { protocol: 'SCTP' }, 'unknown protocol "SCTP"'],
  ])('%s', async (_, change, problem) => {
    await expect(judgeTrace({ ...made, ...change })).rejects.toThrow(problem);
  });

  test('nothing of the recordings', () => {
    expect(unknownFields(recording('persist-two-services'))).toEqual([]);
  });
});

test('a service of every port: one template for all ports, which stay as dialled', async () => {
  const row = (active: number): DestRow[] => [
    ['10.2.0.2:0', 1, 0, 0],
    ['10.2.0.1:0', 1, active, 0],
  ];
  const connect = (conn: string, src: string, dst: string, result: string): TraceEvent => ({
    op: 'connect',
    conn,
    src,
    dst,
    result,
  });
  const trace: Trace = {
    id: 'made up',
    scheduler: 'rr',
    service: { addr: '10.96.0.1:0', persistent: 300, netmask: '255.255.255.0' },
    dests: [{ dest: '10.2.0.1:0' }, { dest: '10.2.0.2:0' }],
    events: [
      connect('c1', '10.1.0.1:1000', '10.96.0.1:80', '10.2.0.2:80'),
      // Another client of the block, another port.
      connect('c2', '10.1.0.77:1000', '10.96.0.1:8443', '10.2.0.2:8443'),
      connect('c3', '10.1.1.1:1000', '10.96.0.1:80', '10.2.0.1:80'),
      { op: 'close', conn: 'c1', how: 'client-rst', state: 'CLOSE' },
      { op: 'close', conn: 'c2', how: 'client-rst', state: 'CLOSE' },
      { op: 'wait', seconds: 11, dests: row(1) },
      {
        op: 'conntab',
        result: [
          '10.1.0.0:0 10.2.0.2:0 ASSURED 289',
          '10.1.1.0:0 10.2.0.1:0 ASSURED 289',
          '10.1.1.1:1000 10.2.0.1:80 ESTABLISHED 889',
        ].map((text) => {
          const [c = '', d = '', state = '', expires] = text.split(' ');
          const v = `10.96.0.1:${d.split(':')[1]}`;
          return { proto: 'TCP', c, v, d, state, expires: Number(expires) };
        }),
      },
    ],
  };
  expect(unknownFields(trace)).toEqual([]);
  expect(await judgeTrace(trace)).toBeUndefined();
});

test('edit-service switches off what it does not name, and keeps the state of the same scheduler', async () => {
  const connect = (port: number, result: string): TraceEvent => ({
    op: 'connect',
    conn: `c${port}`,
    src: `10.1.0.1:${port}`,
    dst: '10.96.0.1:80',
    result,
  });
  const trace: Trace = {
    id: 'made up',
    scheduler: 'rr',
    service: { addr: '10.96.0.1:80', persistent: 300 },
    dests: [1, 2, 3].map((host) => ({ dest: `10.2.0.${host}:8080`, weight: 1 })),
    events: [
      connect(1, '10.2.0.3:8080'),
      connect(2, '10.2.0.3:8080'),
      // Without persistence every connection is a turn, and the turn goes on from where it was.
      { op: 'edit-service', scheduler: 'rr' },
      connect(3, '10.2.0.2:8080'),
      connect(4, '10.2.0.1:8080'),
      connect(5, '10.2.0.3:8080'),
      // The old template is still there, and used again.
      { op: 'edit-service', scheduler: 'rr', persistent: 300 },
      connect(6, '10.2.0.3:8080'),
      // Another scheduler begins anew: the newest of those without connections.
      { op: 'edit-service', scheduler: 'lc' },
      connect(7, '10.2.0.2:8080'),
      { op: 'edit-service', scheduler: 'rr' },
      connect(8, '10.2.0.3:8080'),
    ],
  };
  expect(await judgeTrace(trace)).toBeUndefined();
});

test('a mask of IPv6 is a prefix length', async () => {
  const connect = (src: string, result: string): TraceEvent => ({
    op: 'connect',
    conn: src,
    src,
    dst: '[fd00:96::1]:80',
    result,
  });
  const trace: Trace = {
    id: 'made up',
    scheduler: 'rr',
    service: { addr: '[fd00:96::1]:80', persistent: 300, netmask: 64 },
    dests: [1, 2].map((host) => ({ dest: `[fd00:2::${host}]:8080`, weight: 1 })),
    events: [
      connect('[fd00:1::1]:1000', '[fd00:2::2]:8080'),
      connect('[fd00:1::9]:1000', '[fd00:2::2]:8080'),
      connect('[fd00:1:0:1::1]:1000', '[fd00:2::1]:8080'),
    ],
  };
  expect(await judgeTrace(trace)).toBeUndefined();
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
