// What no recording here has: traces made up in the recorder's format, with what the reference says must come out.
import { describe, expect, test } from 'vitest';
import { judgeTrace } from './judge.ts';
import { unknownFields } from './trace-fields.ts';
import type { DestRow, Trace, TraceEvent } from './trace.ts';

const VIP = '10.96.0.1:80';

/** `n` destinations 10.2.0.1:8080 …; the newest is the first of the list. */
function trace(service: Partial<Trace>, n: number, events: readonly TraceEvent[]): Trace {
  const dests = Array.from({ length: n }, (_, index) => ({
    dest: `10.2.0.${index + 1}:8080`,
    weight: 1,
  }));
  return { id: 'made up', scheduler: 'rr', service: { addr: VIP }, dests, events, ...service };
}

/** A connection from 10.1.0.HOST:PORT, named by both, and the last number of its backend; null: refused. */
function connect(from: string, backend: number | null, dst: string = VIP): TraceEvent {
  const event = { op: 'connect', conn: from, src: `10.1.0.${from}`, dst };
  return backend === null
    ? { ...event, result: null, error: 'ECONNREFUSED' }
    : { ...event, result: `10.2.0.${backend}:8080` };
}

function datagram(from: string, backend: number, dst: string): TraceEvent {
  return { op: 'udp', src: `10.1.0.${from}`, dst, result: `10.2.0.${backend}:8080` };
}

function close(conn: string, how: string, state: string | null): TraceEvent {
  return { op: 'close', conn, how, state };
}

function weight(backend: number, to: number, thresholds: Partial<TraceEvent> = {}): TraceEvent {
  return { op: 'weight', dest: `10.2.0.${backend}:8080`, weight: to, ...thresholds };
}

function remove(backend: number): TraceEvent {
  return { op: 'remove', dest: `10.2.0.${backend}:8080` };
}

function add(backend: number): TraceEvent {
  return { op: 'add', dest: `10.2.0.${backend}:8080`, weight: 1 };
}

function sysctl(name: string, value: number): TraceEvent {
  return { op: 'sysctl', [name]: value };
}

function wait(seconds: number): TraceEvent {
  return { op: 'wait', seconds };
}

function lists(counts: readonly (readonly [number, number, number, number])[]): DestRow[] {
  return counts.map(([backend, ...rest]) => [`10.2.0.${backend}:8080`, ...rest]);
}

describe('edits of a service on the way', () => {
  test.each<[string, Trace]>([
    [
      'a shorter persistence holds for new templates only',
      trace({ service: { addr: VIP, persistent: 300 } }, 2, [
        connect('1:1', 2),
        close('1:1', 'client-rst', 'CLOSE'),
        { op: 'edit-service', scheduler: 'rr', persistent: 20 },
        connect('2:1', 1),
        close('2:1', 'client-rst', 'CLOSE'),
        wait(30),
        // The first client's template has 270 s left; the other's is gone, and it is the first one's backend's turn.
        connect('1:2', 2),
        connect('2:2', 2),
      ]),
    ],
    [
      'another netmask finds other templates',
      trace({ service: { addr: VIP, persistent: 300 } }, 3, [
        connect('1:1', 3),
        connect('2:1', 2),
        { op: 'edit-service', scheduler: 'rr', persistent: 300, netmask: '255.255.255.0' },
        connect('1:2', 1),
        connect('2:2', 1),
        { op: 'edit-service', scheduler: 'rr', persistent: 300 },
        connect('2:3', 2),
      ]),
    ],
    [
      'flags act at once, without building the table anew',
      trace({ scheduler: 'sh' }, 2, [
        connect('1:1', 2),
        weight(2, 0),
        connect('1:2', null),
        { op: 'edit-service', scheduler: 'sh', flags: ['sh-fallback'] },
        connect('1:3', 1),
        { op: 'edit-service', scheduler: 'sh' },
        connect('1:4', null),
      ]),
    ],
    [
      'a scheduler started on the way measures the list as it is: wrr begins at the greatest weight',
      trace({}, 2, [
        weight(1, 3),
        { op: 'edit-service', scheduler: 'wrr' },
        connect('1:1', 1),
        connect('1:2', 1),
        connect('1:3', 2),
        connect('1:4', 1),
        connect('1:5', 1),
      ]),
    ],
    [
      'lblc forgets its cache with another scheduler, and keeps it with the same',
      trace({ scheduler: 'lblc' }, 2, [
        connect('1:1', 2),
        { op: 'edit-service', scheduler: 'lblc', persistent: 60 },
        connect('1:2', 2),
        { op: 'edit-service', scheduler: 'rr' },
        { op: 'edit-service', scheduler: 'lblc' },
        connect('1:3', 1),
      ]),
    ],
  ])('%s', async (_, made) => {
    expect(await judgeTrace(made)).toBeUndefined();
  });
});

describe('settings of the kernel changed on the way', () => {
  test.each<[string, Trace]>([
    [
      'conn_reuse_mode: a port in TIME_WAIT stays, then is scheduled',
      trace({ sysctls: { conn_reuse_mode: 0 } }, 2, [
        connect('1:1', 2),
        close('1:1', 'server', 'TIME_WAIT'),
        connect('1:1', 2),
        close('1:1', 'server', 'TIME_WAIT'),
        sysctl('conn_reuse_mode', 1),
        connect('1:1', 1),
      ]),
    ],
    [
      'expire_quiescent_template: a drained destination loses its clients from now on',
      trace({ service: { addr: VIP, persistent: 300 } }, 2, [
        connect('1:1', 2),
        weight(2, 0),
        connect('1:2', 2),
        sysctl('expire_quiescent_template', 1),
        connect('1:3', 1),
      ]),
    ],
    [
      'expire_nodest_conn: entries left from an earlier removal go with their next packet',
      trace({}, 2, [
        connect('1:1', 2),
        connect('1:2', 1),
        remove(2),
        { op: 'echo', conn: '1:1', result: 'timeout' },
        sysctl('expire_nodest_conn', 1),
        { op: 'echo', conn: '1:1', result: 'reset' },
        close('1:1', 'client', null),
        add(2),
        {
          ...connect('1:3', 2),
          dests: lists([
            [2, 1, 1, 0],
            [1, 1, 1, 0],
          ]),
        },
      ]),
    ],
    [
      'lblcr_expiration: a set unchanged for longer loses its most loaded member',
      trace({ scheduler: 'lblcr' }, 2, [
        connect('1:1', 2),
        connect('1:2', 2),
        // 2 active > weight 1, and the other is idle: the set grows.
        connect('1:3', 1),
        wait(5),
        sysctl('lblcr_expiration', 1),
        // The least loaded is chosen before the most loaded goes.
        connect('1:4', 1),
        connect('1:5', 1),
      ]),
    ],
    [
      'timeouts: 0 leaves a value, and an entry keeps its time until its next packet',
      trace({}, 1, [
        connect('1:1', 1),
        connect('1:2', 1),
        { op: 'timeouts', tcp: 10, tcpfin: 0, udp: 0 },
        { op: 'echo', conn: '1:2', result: 'ok' },
        { ...wait(13), dests: lists([[1, 1, 1, 0]]) },
        { op: 'echo', conn: '1:2', result: 'reset' },
        { op: 'echo', conn: '1:1', result: 'ok' },
        close('1:1', 'server-half', 'FIN_WAIT'),
        { ...wait(60), dests: lists([[1, 1, 0, 1]]) },
        close('1:1', 'finish', 'TIME_WAIT'),
      ]),
    ],
  ])('%s', async (_, made) => {
    expect(await judgeTrace(made)).toBeUndefined();
  });
});

describe('destinations edited', () => {
  test.each<[string, Trace]>([
    [
      'without thresholds: they are gone, and with them the overload',
      trace({ scheduler: 'lc' }, 2, [
        weight(2, 1, { u_threshold: 1 }),
        connect('1:1', 2),
        connect('1:2', 1),
        connect('1:3', 1),
        weight(2, 1),
        connect('1:4', 2),
      ]),
    ],
    [
      'a lower threshold: what closed must fall below it',
      trace({}, 1, [
        weight(1, 1, { u_threshold: 3, l_threshold: 1 }),
        connect('1:1', 1),
        connect('1:2', 1),
        connect('1:3', 1),
        connect('1:4', null),
        close('1:1', 'client-rst', 'CLOSE'),
        close('1:2', 'client-rst', 'CLOSE'),
        wait(13),
        connect('1:5', null),
        close('1:3', 'client-rst', 'CLOSE'),
        wait(13),
        connect('1:6', 1),
      ]),
    ],
    [
      'nq: the first idle one whatever its weight, then as sed, ties to the earlier in the list',
      trace({ scheduler: 'nq' }, 3, [
        weight(1, 2),
        connect('1:1', 3),
        connect('1:2', 2),
        connect('1:3', 1),
        // (1+1)/1, (1+1)/1, (1+1)/2
        connect('1:4', 1),
        // (1+1)/1, (1+1)/1, (2+1)/2
        connect('1:5', 1),
        // All 2: the newest.
        connect('1:6', 3),
      ]),
    ],
    [
      'mh: a drained destination keeps its slots, one added again takes the same ones',
      trace({ scheduler: 'mh' }, 1, [
        connect('1:1', 1),
        weight(1, 0),
        connect('1:2', null),
        { op: 'edit-service', scheduler: 'mh', flags: ['mh-fallback'] },
        add(2),
        connect('1:3', 2),
        weight(1, 1),
        remove(2),
        connect('1:4', 1),
      ]),
    ],
  ])('%s', async (_, made) => {
    expect(await judgeTrace(made)).toBeUndefined();
  });
});

describe('marks, half closes and one packet at a time', () => {
  test.each<[string, Trace]>([
    [
      'one template of a mark for TCP and UDP of all addresses; the ports stay as dialled',
      trace({ service: { fwmark: 1, persistent: 300 } }, 2, [
        { ...connect('1:1', 2, '10.96.0.9:443'), result: '10.2.0.2:443' },
        { ...datagram('1:1', 2, '10.96.0.8:53'), result: '10.2.0.2:53' },
        { ...connect('2:1', 1, '10.96.0.8:80'), result: '10.2.0.1:80' },
      ]),
    ],
    [
      'a client on the director itself is not marked',
      trace({ service: { fwmark: 1 } }, 1, [
        { ...connect('1:1', null), from: 'director' },
        connect('1:2', 1),
      ]),
    ],
    [
      'half closed by the server and never finished: gone after 120 s, what comes then is nothing',
      trace({}, 1, [
        connect('1:1', 1),
        { ...close('1:1', 'server-half', 'FIN_WAIT'), dests: lists([[1, 1, 0, 1]]) },
        { ...wait(136), dests: lists([[1, 1, 0, 0]]) },
        close('1:1', 'finish', null),
      ]),
    ],
    [
      'datagrams one at a time follow their client when persistent, and count nowhere',
      trace({ protocol: 'UDP', service: { addr: VIP, persistent: 60, ops: true } }, 2, [
        { ...datagram('1:1', 2, VIP), reply_from: '10.2.0.2:8080' },
        { ...datagram('1:1', 2, VIP), reply_from: '10.2.0.2:8080' },
        {
          ...datagram('2:1', 1, VIP),
          reply_from: '10.2.0.1:8080',
          dests: lists([
            [2, 1, 0, 0],
            [1, 1, 0, 0],
          ]),
        },
      ]),
    ],
    [
      'a closed port of UDP refuses, its entry stays; a silent backend does not answer at all',
      trace(
        {
          protocol: 'UDP',
          environment: { closed_ports: ['10.2.0.2:8080'], blackhole: ['10.2.0.1/32'] },
        },
        2,
        [
          {
            op: 'udp',
            src: '10.1.0.1:1',
            dst: VIP,
            result: null,
            error: 'ECONNREFUSED',
            dests: lists([
              [2, 1, 0, 1],
              [1, 1, 0, 0],
            ]),
          },
          {
            op: 'udp',
            src: '10.1.0.2:1',
            dst: VIP,
            result: null,
            error: 'TIMEOUT',
            client_gave_up_after_s: 1,
            dests: lists([
              [2, 1, 0, 1],
              [1, 1, 0, 1],
            ]),
          },
        ],
      ),
    ],
  ])('%s', async (_, made) => {
    expect(unknownFields(made)).toEqual([]);
    expect(await judgeTrace(made)).toBeUndefined();
  });
});

describe('ways to write a trace', () => {
  const both: Partial<Trace> = {
    protocol: 'TCP',
    service: { addr: '10.96.0.10:53' },
    more_services: [
      { addr: '10.96.0.10:53', protocol: 'UDP', dests: [{ dest: '10.2.0.9:8080', weight: 1 }] },
    ],
  };

  test('two services of one address are told apart by their protocol', async () => {
    const rows = {
      'TCP 10.96.0.10:53': lists([[1, 1, 1, 0]]),
      'UDP 10.96.0.10:53': lists([
        [2, 1, 0, 0],
        [9, 1, 0, 1],
      ]),
    };
    const made = trace(both, 1, [
      datagram('1:1', 9, '10.96.0.10:53'),
      { ...add(2), service: '10.96.0.10:53', protocol: 'UDP' },
      { ...connect('1:1', 1, '10.96.0.10:53'), dests: rows },
    ]);
    expect(unknownFields(made)).toEqual([]);
    expect(await judgeTrace(made)).toBeUndefined();
    const wrong = { ...rows, 'udp 10.96.0.10:53': lists([[9, 1, 0, 0]]) };
    const events = made.events.map((event) => (event.dests ? { ...event, dests: wrong } : event));
    expect(await judgeTrace({ ...made, events })).toMatchObject({ index: 2 });
  });

  test('IPv6 addresses in any form', async () => {
    const made = trace(
      {
        service: { addr: '[fd00:96:0::1]:80' },
        dests: [{ dest: '[fd00:0002::0001]:8080', weight: 1 }],
        list_after_setup: [['[fd00:2:0:0:0:0:0:1]:8080', 1, 0, 0]],
      },
      0,
      [
        {
          op: 'connect',
          conn: 'c1',
          src: '[fd00:1:0:0::1]:1000',
          dst: '[fd00:0096::1]:80',
          result: '[fd00:0002:0000:0000:0000:0000:0000:0001]:8080',
        },
        {
          op: 'conntab',
          result: [
            {
              proto: 'TCP',
              c: '[fd00:0001::0001]:1000',
              v: '[fd00:96::1]:80',
              d: '[fd00:2::1]:8080',
              state: 'ESTABLISHED',
              expires: 900,
            },
          ],
        },
      ],
    );
    expect(await judgeTrace(made)).toBeUndefined();
  });

  test('remarks order nothing, flags may be one text', () => {
    const events = [{ op: 'wait', seconds: 1, comment: 'nothing', note: 'here' } as TraceEvent];
    const made = { ...trace({ flags: 'sh-port,sh-fallback' }, 1, events), recorded: 'in May' };
    expect(unknownFields(made)).toEqual([]);
  });
});

test('chance is replayed as recorded, so counters are exact after a removal too', async () => {
  const events: TraceEvent[] = [
    connect('1:1', 1),
    connect('1:2', 1),
    { ...remove(1), dests: lists([[2, 1, 0, 0]]) },
    {
      ...add(1),
      dests: lists([
        [1, 1, 2, 0],
        [2, 1, 0, 0],
      ]),
    },
  ];
  const made = trace({ scheduler: 'twos', random: true }, 2, events);
  expect(await judgeTrace(made)).toBeUndefined();
  const impossible = [weight(1, 0), connect('1:3', 1)];
  expect(await judgeTrace({ ...made, events: [...events, ...impossible] })).toMatchObject({
    index: 5,
    what: 'result',
  });
});
