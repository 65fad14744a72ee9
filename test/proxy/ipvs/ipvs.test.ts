import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../src/proxy/ipvs/connection.ts';
import type { DecisionTrace } from '../../../src/proxy/ipvs/decision-trace.ts';
import type { Segment, Side } from '../../../src/proxy/ipvs/tcp-states.ts';
import { kernelBehaviour } from '../../../src/proxy/ipvs/kernel.ts';
import { backend, DNS, director, type TestDirector, WEB } from './director.ts';

/** A whole handshake; the connection. */
function open({ ipvs, verdict }: TestDirector, source: string): Connection {
  const outcome = verdict(source);
  if (outcome.kind !== 'forward') throw new Error(`${source}: ${outcome.kind}`);
  ipvs.serverPacket(outcome.connection, 'syn');
  ipvs.clientPacket(outcome.connection, 'ack');
  return outcome.connection;
}

describe('control operations', () => {
  const { ipvs } = director('rr', [1]);
  const where = backend(1);
  test.each([
    ['a service twice', () => ipvs.addService(WEB, { scheduler: 'rr' }), 'EEXIST'],
    ['a destination twice', () => ipvs.addDestination(WEB, where, { weight: 1 }), 'EEXIST'],
    ['a missing service', () => ipvs.editService(DNS, { scheduler: 'rr' }), 'ESRCH'],
    ['a missing destination', () => ipvs.deleteDestination(WEB, backend(9)), 'ENOENT'],
    ['an edit of nobody', () => ipvs.editDestination(WEB, backend(9), { weight: 1 }), 'ENOENT'],
    ['a negative weight', () => ipvs.editDestination(WEB, where, { weight: -1 }), 'ERANGE'],
    [
      'crossed thresholds',
      () => ipvs.editDestination(WEB, where, { weight: 1, upperThreshold: 2, lowerThreshold: 3 }),
      'ERANGE',
    ],
    [
      'no address',
      () => ipvs.addDestination(WEB, { ...where, address: 'x' }, { weight: 1 }),
      'EINVAL',
    ],
    [
      'a port too far',
      () => ipvs.addService({ ...DNS, port: 65_536 }, { scheduler: 'rr' }),
      'EINVAL',
    ],
    [
      'no persistence time',
      () => ipvs.editService(WEB, { scheduler: 'rr', persistence: { timeoutMs: 0, netmask: 32 } }),
      'EINVAL',
    ],
    ['deleting what is not there', () => ipvs.deleteService(DNS), 'ESRCH'],
  ])('%s: %s', (_, operate, kind) => {
    expect(operate()).toMatchObject({ kind, detail: expect.any(String) });
  });

  test('addresses have one name', () => {
    const v6 = { kind: 'address', protocol: 'TCP', address: 'FD00:0::1', port: 80 } as const;
    expect(ipvs.addService(v6, { scheduler: 'rr' }).kind).toBe('ok');
    expect(ipvs.addService({ ...v6, address: 'fd00::1' }, { scheduler: 'rr' }).kind).toBe('EEXIST');
  });
});

describe('which service takes a packet', () => {
  const mark = { kind: 'fwmark', fwmark: 7, family: 'IPv4' } as const;
  const anyPort = { ...WEB, port: 0 };
  const ftp = { ...WEB, port: 21 };

  test('a marked one, before the address', () => {
    const { ipvs, send } = director('rr', [1], { service: mark });
    ipvs.addService(WEB, { scheduler: 'rr' });
    expect(send('10.1.0.1:1000', WEB)).toBe('10.2.0.1:8080');
  });

  test('the port zero, after the address; it must be persistent', () => {
    const persistence = { timeoutMs: 1000, netmask: 0xffff_ffff };
    const { ipvs, send } = director('rr', [1], { service: anyPort, settings: { persistence } });
    expect(send('10.1.0.1:1000', WEB)).toBe('10.2.0.1:80');
    ipvs.editService(anyPort, { scheduler: 'rr' });
    expect(send('10.1.0.1:1001', WEB)).toBe('refused');
    ipvs.addService(WEB, { scheduler: 'rr' });
    ipvs.addDestination(WEB, backend(2), { weight: 1 });
    expect(send('10.1.0.1:1002', WEB)).toBe('10.2.0.2:8080');
  });

  test('FTP takes data connections when persistent and lets others pass when not', () => {
    const persistence = { timeoutMs: 1000, netmask: 0xffff_ffff };
    const { ipvs, send } = director('rr', [1], { service: ftp, settings: { persistence } });
    expect(send('10.1.0.1:1000', { ...WEB, port: 2000 })).toBe('10.2.0.1:2000');
    expect(send('10.1.0.1:1000', { ...WEB, port: 999 })).toBe('pass');
    ipvs.editService(ftp, { scheduler: 'rr' });
    expect(send('10.1.0.1:1001', { ...WEB, port: 2000 })).toBe('pass');
  });

  test('nobody takes what has no service, and client port 20', () => {
    const { send } = director('rr', [1]);
    expect(send('10.1.0.1:1000', DNS)).toBe('pass');
    expect(send('10.1.0.1:20')).toBe('pass');
  });
});

describe('a TCP entry', () => {
  test.each<[string, [Side, Segment][], string, number]>([
    ['answered', [], 'ESTABLISHED', 900],
    [
      'closed by the client',
      [
        ['client', 'fin'],
        ['server', 'fin'],
      ],
      'TIME_WAIT',
      120,
    ],
    [
      'closed by the server',
      [
        ['server', 'fin'],
        ['client', 'fin'],
      ],
      'TIME_WAIT',
      120,
    ],
    ['half closed by the client', [['client', 'fin']], 'CLOSE_WAIT', 60],
    ['half closed by the server', [['server', 'fin']], 'FIN_WAIT', 120],
    ['reset', [['server', 'rst']], 'CLOSE', 10],
    ['without any flag', [['client', 'none']], 'CLOSE', 10],
  ])('%s', (_, segments, state, seconds) => {
    const made = director('rr', [1]);
    const connection = open(made, '10.1.0.1:1000');
    for (const [side, segment] of segments)
      if (side === 'client') made.ipvs.clientPacket(connection, segment);
      else made.ipvs.serverPacket(connection, segment);
    expect(made.ipvs.listConnections()).toMatchObject([{ state, expiresInMs: seconds * 1000 }]);
    expect(made.list()).toEqual([
      ['10.2.0.1:8080', 1, ...(state === 'ESTABLISHED' ? [1, 0] : [0, 1])],
    ]);
    made.clock.advance(seconds * 1000 - 1);
    expect(connection.ended).toBe(false);
    made.clock.advance(1);
    expect(connection.ended).toBe(true);
    expect(made.list()).toEqual([['10.2.0.1:8080', 1, 0, 0]]);
    expect(made.ipvs.clientPacket(connection)).toBe('pass');
  });

  test('an unanswered SYN is active for its 60 s', () => {
    const { send, list, clock } = director('lc', [1]);
    send('10.1.0.1:1000');
    expect(list()).toEqual([['10.2.0.1:8080', 1, 1, 0]]);
    clock.advance(60_000);
    expect(list()).toEqual([['10.2.0.1:8080', 1, 0, 0]]);
  });

  test('new timeouts hold from the next packet', () => {
    const made = director('rr', [1]);
    const connection = open(made, '10.1.0.1:1000');
    made.ipvs.setTimeouts({ tcpMs: 5000, udpMs: 0 });
    expect(made.ipvs.listConnections()[0]?.expiresInMs).toBe(900_000);
    made.ipvs.clientPacket(connection);
    expect(made.ipvs.listConnections()[0]?.expiresInMs).toBe(5000);
  });
});

describe('a removed destination', () => {
  test('its connections hang, and live on when it comes back at the head', () => {
    const made = director('rr', [1, 1]);
    const connection = open(made, '10.1.0.1:1000');
    made.ipvs.deleteDestination(WEB, backend(2));
    expect(made.ipvs.clientPacket(connection)).toBe('drop');
    expect(made.ipvs.serverPacket(connection)).toBe('forward');
    expect(made.send('10.1.0.1:1000')).toBe('dropped');
    made.ipvs.addDestination(WEB, backend(2), { weight: 1 });
    expect(made.ipvs.clientPacket(connection)).toBe('forward');
    expect(made.list()[0]).toEqual(['10.2.0.2:8080', 1, 1, 0]);
  });

  test('with expire_nodest_conn they go a tick later, and somebody is told', () => {
    const ended: Connection[] = [];
    const made = director('rr', [1, 1], {
      sysctls: { expire_nodest_conn: 1 },
      onConnectionEnd: (connection) => ended.push(connection),
    });
    const connection = open(made, '10.1.0.1:1000');
    made.ipvs.deleteDestination(WEB, backend(2));
    made.clock.advance(10);
    expect(ended).toEqual([connection]);
    expect(made.ipvs.clientPacket(connection)).toBe('pass');
  });

  test.each([
    ['remembered', 179_999, 1],
    ['forgotten', 180_000, 0],
  ])('is %s after %i ms without a reference', (_, waitMs, connections) => {
    const { ipvs, clock, send } = director('rr', [1]);
    send('10.1.0.1:1000');
    clock.advance(60_000);
    ipvs.deleteDestination(WEB, backend(1));
    clock.advance(waitMs);
    ipvs.addDestination(WEB, backend(1), { weight: 1 });
    expect(ipvs.service(WEB)?.destinations[0]?.traffic.connections).toBe(connections);
  });
});

describe('a port used again', () => {
  test('is scheduled while the old entry still counts', () => {
    const made = director('wlc', [1, 1]);
    const connection = open(made, '10.1.0.1:1000');
    made.ipvs.serverPacket(connection, 'rst');
    expect(made.send('10.1.0.1:1000')).toBe('10.2.0.1:8080');
    expect(connection.ended).toBe(false);
    made.clock.advance(10);
    expect(connection.ended).toBe(true);
  });

  test('stays where it was in mode 0, even on a drained destination', () => {
    const made = director('rr', [1, 1], { sysctls: { conn_reuse_mode: 0 } });
    made.ipvs.serverPacket(open(made, '10.1.0.1:1000'), 'rst');
    made.ipvs.editDestination(WEB, backend(2), { weight: 0 });
    expect(made.send('10.1.0.1:1000')).toBe('10.2.0.2:8080');
    made.ipvs.setSysctls({ expire_nodest_conn: 1 });
    expect(made.send('10.1.0.1:1000')).toBe('10.2.0.1:8080');
  });

  test('loses the first SYN to a confirmed conntrack entry', () => {
    const made = director('rr', [1, 1]);
    made.ipvs.serverPacket(open(made, '10.1.0.1:1000'), 'rst');
    const outcome = made.ipvs.schedule({
      protocol: 'TCP',
      source: { address: '10.1.0.1', port: 1000 },
      destination: { address: '10.96.0.1', port: 80 },
      confirmedConntrack: true,
    });
    expect(outcome).toEqual({ kind: 'dropped', reason: 'conntrack' });
    made.clock.advance(1000);
    expect(made.send('10.1.0.1:1000')).toBe('10.2.0.1:8080');
  });
});

describe('thresholds', () => {
  test('count inactive connections, and let go below three quarters', () => {
    const made = director('rr', []);
    made.ipvs.addDestination(WEB, backend(1), { weight: 1, upperThreshold: 4 });
    const connections = [1, 2, 3, 4].map((port) => open(made, `10.1.0.1:${port}`));
    expect(made.send('10.1.0.1:5')).toBe('refused');
    const [first, second] = connections;
    if (first === undefined || second === undefined) throw new Error('four were opened');
    made.ipvs.serverPacket(first, 'rst');
    made.clock.advance(10_000);
    expect(made.send('10.1.0.1:6')).toBe('refused');
    made.ipvs.serverPacket(second, 'rst');
    made.clock.advance(10_000);
    expect(made.send('10.1.0.1:7')).toBe('10.2.0.1:8080');
  });

  test.each([
    ['6.1.176', 'refused'],
    ['7.3.4', '10.2.0.1:8080'],
  ])('edited to another lower one, as Linux %s does', (version, expected) => {
    const kernel = kernelBehaviour(version);
    if (kernel === undefined) throw new Error('a version');
    const made = director('rr', [], { kernel });
    made.ipvs.addDestination(WEB, backend(1), { weight: 1, upperThreshold: 4 });
    const connections = [1, 2, 3, 4].map((port) => open(made, `10.1.0.1:${port}`));
    const [first] = connections;
    if (first !== undefined) made.ipvs.serverPacket(first, 'rst');
    made.clock.advance(10_000);
    made.ipvs.editDestination(WEB, backend(1), { weight: 1, upperThreshold: 4, lowerThreshold: 4 });
    expect(made.send('10.1.0.1:9')).toBe(expected);
  });
});

describe('UDP', () => {
  test('is never active, and stays with a drained destination', () => {
    const { ipvs, send, list } = director('lc', [1, 1], { service: DNS });
    expect(send('10.1.0.1:1')).toBe('10.2.0.2:8080');
    ipvs.editDestination(DNS, backend(2), { weight: 0 });
    expect(send('10.1.0.1:1')).toBe('10.2.0.2:8080');
    expect(list()).toEqual([
      ['10.2.0.2:8080', 0, 0, 1],
      ['10.2.0.1:8080', 1, 0, 0],
    ]);
  });

  test('one packet at a time leaves nothing behind', () => {
    const { ipvs, send, list, verdict } = director('rr', [1, 1], {
      service: DNS,
      settings: { onePacket: true },
    });
    expect([send('10.1.0.1:1'), send('10.1.0.1:1')]).toEqual(['10.2.0.2:8080', '10.2.0.1:8080']);
    const outcome = verdict('10.1.0.1:1');
    if (outcome.kind !== 'forward') throw new Error(outcome.kind);
    expect(ipvs.serverPacket(outcome.connection)).toBe('pass');
    expect(ipvs.connectionCount).toBe(0);
    expect(list().map((row) => row.slice(2))).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});

describe('the table', () => {
  test('drops new connections when it is full', () => {
    const made = director('rr', [1], { maxConnections: 2 });
    expect(['1', '2', '3'].map((port) => made.send(`10.1.0.1:${port}`))).toEqual([
      '10.2.0.1:8080',
      '10.2.0.1:8080',
      'dropped',
    ]);
    made.clock.advance(60_000);
    expect(made.send('10.1.0.1:3')).toBe('10.2.0.1:8080');
  });

  test('has one timer for thousands of connections', async () => {
    const made = director('rr', [1]);
    for (let port = 1; port <= 5000; port += 1) made.send(`10.1.0.1:${port + 20}`);
    expect(made.clock.pending).toBe(1);
    made.clock.advance(60_000);
    expect(made.ipvs.connectionCount).toBe(0);
    made.send('10.1.0.1:1');
    await made.ipvs.close();
    expect(made.clock.pending).toBe(0);
  });

  test('counts traffic for the service and the destination', () => {
    const made = director('rr', [1]);
    const connection = open(made, '10.1.0.1:1000');
    made.ipvs.clientPacket(connection, 'ack', 100);
    made.ipvs.account(connection, { packetsOut: 3, bytesOut: 3000 });
    const [service] = made.ipvs.listServices();
    const expected = { connections: 1, packetsIn: 3, bytesIn: 100, packetsOut: 4, bytesOut: 3000 };
    expect(service?.traffic).toEqual(expected);
    expect(service?.destinations[0]?.traffic).toEqual(expected);
  });
});

test('a kept connection is explained too', () => {
  const made = director('rr', [1]);
  open(made, '10.1.0.1:1000');
  const trace: DecisionTrace = [];
  made.ipvs.schedule(
    {
      protocol: 'TCP',
      source: { address: '10.1.0.1', port: 1000 },
      destination: { address: '10.96.0.1', port: 80 },
    },
    trace,
  );
  expect(trace).toEqual([
    {
      kind: 'connection',
      destination: '10.2.0.1:8080',
      state: 'ESTABLISHED',
      verdict: 'kept',
      reason: 'has an entry',
    },
  ]);
});

test('another scheduler starts from the list as it is, the same one goes on', () => {
  const { ipvs, send } = director('rr', [1, 1, 1]);
  expect(send('10.1.0.1:1')).toBe('10.2.0.3:8080');
  ipvs.editService(WEB, { scheduler: 'rr' });
  expect(send('10.1.0.1:2')).toBe('10.2.0.2:8080');
  ipvs.editService(WEB, { scheduler: 'lc' });
  expect(send('10.1.0.1:3')).toBe('10.2.0.1:8080');
  ipvs.editService(WEB, { scheduler: 'rr' });
  expect(send('10.1.0.1:4')).toBe('10.2.0.3:8080');
});
