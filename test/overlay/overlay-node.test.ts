import { once } from 'node:events';
import { Agent, createServer as createHttpServer, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Lifetime } from '../../src/base/lifetime.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { OverlayNode } from '../../src/overlay/overlay-node.ts';
import type { OverlayNodeOptions } from '../../src/overlay/overlay-options.ts';
import { renderFdb, renderNeighbours, renderRoutes } from '../../src/overlay/render-tables.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { netConf } from './leases.ts';

let lifetime: Lifetime;
let port = 0;
/** What pods were dialled, as `source > address:port`. */
let dials: string[] = [];
/** Where the server of a pod's port really is. */
let servers: Map<number, number>;

beforeEach(async () => {
  lifetime = new Lifetime('test');
  dials = [];
  servers = new Map();
  port = await freePort();
});

afterEach(() => lifetime[Symbol.asyncDispose]());

/** Node N: 127.0.0.N, pods in 10.244.N.0/24. */
async function nodeAt(
  number: number,
  options: Partial<OverlayNodeOptions> = {},
): Promise<OverlayNode> {
  const node = await OverlayNode.open({
    name: `node-${number}`,
    publicIp: ip(`127.0.0.${number}`),
    subnet: cidr(`10.244.${number}.0/24`),
    conf: netConf({ Backend: { Type: 'vxlan', Port: port } }),
    underlayNetworks: [cidr('127.0.0.0/24')],
    underlayMtu: 1500,
    clock: systemClock,
    random: seededRandom(`node-${number}`),
    log: silentLogger,
    dialPod: (target) => {
      dials.push(`${target.source} > ${target.address}:${target.port}`);
      return connect({
        host: '127.0.0.1',
        port: servers.get(target.port) ?? 1,
        allowHalfOpen: true,
      });
    },
    dialPodDatagrams: (target, receive) => {
      dials.push(`${target.source} > ${target.address}:${target.port}/udp`);
      // A pod that answers in capitals.
      return {
        send: (message) => receive(Buffer.from(Buffer.from(message).toString().toUpperCase())),
        close: () => dials.push('closed'),
      };
    },
    ...options,
  });
  return lifetime.own(node);
}

/** Nodes that know each other, each with pod 10.244.N.5. */
async function cluster(count: number, options: Partial<OverlayNodeOptions> = {}) {
  const nodes: OverlayNode[] = [];
  for (let number = 1; number <= count; number += 1) {
    const node = await nodeAt(number, options);
    node.addPod(`10.244.${number}.5`);
    nodes.push(node);
  }
  const leases = nodes.map((node) => node.lease);
  for (const node of nodes) node.setLeases(leases);
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('too few nodes');
  return { nodes, first, second, leases };
}

/** A server for a pod's port. */
async function serve(podPort: number, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await listen(server, podPort);
  return server;
}

async function listen(server: Server, podPort: number): Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.set(podPort, (server.address() as AddressInfo).port);
  lifetime.defer(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
}

const toPod = (number: number, podPort: number, sourceAddress = '10.244.1.5') => ({
  sourceAddress,
  address: `10.244.${number}.5`,
  port: podPort,
});

const LINE_END = 0x0a;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function errorOf(stream: Duplex): Promise<unknown> {
  const [error] = (await once(stream, 'error')) as [{ code?: unknown }];
  return error.code;
}

/** All that comes until the end; leaves the other direction open. */
async function textOf(stream: Duplex | IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks).toString();
}

describe('a connection to a pod of another node', () => {
  test('goes both ways, with half-close, and the pod sees the client', async () => {
    await serve(80, (socket) => {
      void textOf(socket).then((text) => socket.end(`you said ${text}`));
    });
    const { first, second } = await cluster(2);
    const stream = first.connect(toPod(2, 80));
    await once(stream, 'connect');
    stream.end('hello');
    expect(await textOf(stream)).toBe('you said hello');
    expect(dials).toEqual(['10.244.1.5 > 10.244.2.5:80']);
    expect(second.counters()).toMatchObject({ gate: { accepted: 1 } });
  });

  test('carries megabytes unchanged in both directions at once', async () => {
    await serve(80, (socket) => socket.pipe(socket));
    const { first, second } = await cluster(2);
    const stream = first.connect(toPod(2, 80));
    const sent = Buffer.alloc(4 * 1024 * 1024, 'podwire is not a toy. ');
    stream.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
    expect(second.counters().device).toMatchObject({ oversized: 0 });
    // A process that stands still for a while sends again what has arrived: nothing else may be dropped.
    expect([...second.counters().drops.keys()].filter((why) => why !== 'tcp-duplicate')).toEqual(
      [],
    );
  });

  test('from outside the pods has the address of its node', async () => {
    await serve(80, (socket) => socket.end());
    const { first } = await cluster(2);
    const stream = first.connect(toPod(2, 80, '192.0.2.1'));
    expect(await textOf(stream)).toBe('');
    expect(dials).toEqual(['10.244.1.0 > 10.244.2.5:80']);
  });

  test('serves http through an Agent, keep-alive included', async () => {
    const server = createHttpServer((request, response) => response.end(`path ${request.url}`));
    await listen(server, 80);
    const { first } = await cluster(2);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => first.connect(toPod(2, 80));
    for (const path of ['/a', '/b', '/c']) {
      const [response] = (await once(get({ agent, path, host: 'pod' }), 'response')) as [
        IncomingMessage,
      ];
      expect(await textOf(response)).toBe(`path ${path}`);
    }
    expect(dials).toHaveLength(1);
    agent.destroy();
  });

  test('is refused where no server listens, and let in once one does', async () => {
    const { first, second } = await cluster(2);
    expect(await errorOf(first.connect(toPod(2, 81)))).toBe('ECONNREFUSED');
    await serve(81, (socket) => socket.end('now'));
    expect(await textOf(first.connect(toPod(2, 81)).end())).toBe('now');
    expect(second.counters().gate).toMatchObject({ accepted: 1, refused: 1 });
  });

  test('is refused again when the server has gone', async () => {
    const server = await serve(82, (socket) => socket.end('here'));
    const { first } = await cluster(2);
    expect(await textOf(first.connect(toPod(2, 82)).end())).toBe('here');
    servers.delete(82);
    expect(await errorOf(first.connect(toPod(2, 82)))).toBe('ECONNREFUSED');
    expect(server.listening).toBe(true);
  });

  test('holds back no small write until an acknowledgement comes', async () => {
    await serve(80, (socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (chunk.at(-1) === LINE_END) socket.write('answer');
      });
    });
    // No delayed acknowledgement is ever sent.
    const clock = { ...systemClock, setTimer: () => ({ cancel: () => undefined }) };
    const { first } = await cluster(2, { clock });
    const stream = first.connect(toPod(2, 80));
    // The first acknowledgements of a connection are not delayed.
    for (let round = 0; round < 40; round += 1) {
      stream.write('question');
      await nextTurn();
      stream.write('mark\n');
      const [answer] = (await once(stream, 'data')) as [Buffer];
      expect(answer.toString()).toBe('answer');
    }
  });

  test('a reset stays a reset, from either end', async () => {
    const arrived: Socket[] = [];
    await serve(80, (socket) => arrived.push(socket));
    const { first } = await cluster(2);
    const stream = first.connect(toPod(2, 80));
    await once(stream, 'connect');
    stream.write('x');
    await until(() => arrived.length === 1);
    arrived[0]?.resetAndDestroy();
    expect(await errorOf(stream)).toBe('ECONNRESET');

    const other = first.connect(toPod(2, 80));
    await once(other, 'connect');
    other.write('x');
    await until(() => arrived.length === 2);
    const atPod = errorOf(arrived[1] ?? other);
    (other as unknown as Socket).resetAndDestroy();
    expect(await atPod).toBe('ECONNRESET');
  });

  test('waits for a slow reader instead of buffering for it', async () => {
    const arrived: Socket[] = [];
    await serve(80, (socket) => arrived.push(socket.pause()));
    const { first } = await cluster(2);
    const stream = first.connect(toPod(2, 80));
    const chunk = Buffer.alloc(1024 * 1024);
    let writtenBytes = 0;
    while (writtenBytes < 64 * chunk.length && (await isAccepted(stream, chunk)))
      writtenBytes += chunk.length;
    expect(writtenBytes).toBeLessThan(32 * chunk.length);
    stream.destroy();
  });
});

describe('datagrams to a pod of another node', () => {
  /** Sends and waits for the answer. */
  async function ask(node: OverlayNode, message: Buffer, sourceAddress?: string): Promise<Buffer> {
    return new Promise((resolve) => {
      const channel = node.openChannel(toPod(2, 53, sourceAddress), (answer) => {
        channel?.close();
        resolve(Buffer.from(answer));
      });
      channel?.send(message);
    });
  }

  test('and back, and the pod sees the client', async () => {
    const { first, second } = await cluster(2);
    expect((await ask(first, Buffer.from('who is it?'))).toString()).toBe('WHO IS IT?');
    expect((await ask(first, Buffer.from('me'), '192.0.2.1')).toString()).toBe('ME');
    expect(dials).toEqual(['10.244.1.5 > 10.244.2.5:53/udp', '10.244.1.0 > 10.244.2.5:53/udp']);
    expect(second.counters().datagrams).toEqual({ opened: 2, refused: 0, evicted: 0 });
    second.removePod('10.244.2.5');
    expect(dials.slice(2)).toEqual(['closed', 'closed']);
  });

  test('above the MTU, in fragments', async () => {
    const { first, second } = await cluster(2);
    const message = Buffer.alloc(20_000, 'abc');
    expect((await ask(first, message)).equals(Buffer.alloc(20_000, 'ABC'))).toBe(true);
    // A process that stands still for a while sends again what has arrived: nothing else may be dropped.
    expect([...second.counters().drops.keys()].filter((why) => why !== 'tcp-duplicate')).toEqual(
      [],
    );
  });

  test('one channel a client, however many datagrams', async () => {
    const { first } = await cluster(2);
    const answers: string[] = [];
    const channel = first.openChannel(toPod(2, 53), (answer) =>
      answers.push(Buffer.from(answer).toString()),
    );
    for (const text of ['a', 'b', 'c']) channel?.send(Buffer.from(text));
    await until(() => answers.length === 3);
    expect([answers.join(''), dials.length]).toEqual(['ABC', 1]);
    channel?.close();
  });
});

describe('faults', () => {
  test('a partition cuts a link until it is healed, and others go on', async () => {
    await serve(80, (socket) => socket.end('hello'));
    const { first, second } = await cluster(3);
    const isPartitioned = { isPartitioned: true };
    first.setFaults('node-2', 'outbound', isPartitioned);
    const cut = first.connect(toPod(2, 80));
    const healthy = first.connect(toPod(3, 80)).end();
    expect(await textOf(healthy)).toBe('hello');
    await until(() => (first.counters().drops.get('fault-partition') ?? 0) > 0);
    expect(second.counters().peers.get('127.0.0.1')?.receivedFrames).toBe(0);
    first.setFaults('node-2', 'outbound', undefined);
    // The next SYN comes after a second; the connection outlives the partition.
    expect(await textOf(cut.end())).toBe('hello');
  });

  test('loss, reordering and duplicates change nothing but the time', async () => {
    await serve(80, (socket) => socket.pipe(socket));
    const { first, nodes } = await cluster(2, { tcp: { minRtoMs: 20, initialRtoMs: 50 } });
    const faults = { lossFraction: 0.02, reorderFraction: 0.02, duplicateFraction: 0.02 };
    for (const node of nodes) node.setFaults('*', 'outbound', faults);
    const stream = first.connect(toPod(2, 80));
    const sent = Buffer.alloc(512 * 1024, 'through thick and thin. ');
    stream.end(sent);
    expect(await textOf(stream)).toBe(sent.toString());
    expect(first.counters().drops.get('fault-loss')).toBeGreaterThan(0);
  });

  test('stay with a node that comes back with another address', async () => {
    await serve(80, (socket) => socket.end('hello'));
    const { first, nodes } = await cluster(2);
    first.setFaults('node-2', 'outbound', { isPartitioned: true });
    const leases = nodes.map((node) => node.lease);
    const moved = leases.map((each) =>
      each.node === 'node-2' && each.ipv4 !== undefined
        ? { ...each, ipv4: { ...each.ipv4, publicIp: ip('127.0.0.9') } }
        : each,
    );
    first.setLeases(moved);
    const cut = first.connect(toPod(2, 80));
    cut.on('error', () => undefined);
    await until(() => (first.counters().drops.get('fault-partition') ?? 0) > 0);
    first.clearFaults();
    expect(first.faults()).toEqual([]);
    first.setLeases(leases);
    expect(await textOf(cut.end())).toBe('hello');
  });

  test('are refused by name when they make no sense', async () => {
    const { first } = await cluster(2);
    expect(() => first.setFaults('*', 'outbound', { lossFraction: 2 })).toThrow(/lossFraction 2/);
  });
});

describe('what cannot be reached', () => {
  test.each([
    ['10.244.9.5', 'ENETUNREACH'],
    ['nonsense', 'ENETUNREACH'],
  ])('%s: %s', async (address, code) => {
    const { first } = await cluster(2);
    const stream = first.connect({ sourceAddress: '10.244.1.5', address, port: 80 });
    expect(await errorOf(stream)).toBe(code);
  });

  test('a node that ends takes its connections with it', async () => {
    const arrived: Socket[] = [];
    await serve(80, (socket) => arrived.push(socket));
    const { first, second } = await cluster(2);
    const stream = first.connect(toPod(2, 80));
    await once(stream, 'connect');
    await until(() => arrived.length === 1);
    const atPod = errorOf(arrived[0] ?? stream);
    const atClient = once(stream, 'close');
    await second.close();
    await first.close();
    await atClient;
    expect(await atPod).toBe('ECONNRESET');
    expect(await errorOf(first.connect(toPod(2, 80)))).toBe('ENETUNREACH');
  });

  test('a pod that is removed takes its connections with it', async () => {
    const arrived: Socket[] = [];
    await serve(80, (socket) => arrived.push(socket));
    const { first, second } = await cluster(2);
    const stream = first.connect(toPod(2, 80));
    await once(stream, 'connect');
    stream.write('x');
    await until(() => arrived.length === 1);
    const atPod = errorOf(arrived[0] ?? stream);
    second.removePod('10.244.2.5');
    expect(await atPod).toBe('ECONNRESET');
    expect(second.counters().connections).toBe(0);
    stream.destroy();
  });
});

describe('the tables of a node', () => {
  test('are those that flannel would make', async () => {
    const { first } = await cluster(3);
    const mac = (number: number) => renderMac(first, number);
    expect(renderRoutes(first.tables.routes.entries.values())).toBe(
      [
        '10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1',
        '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
        '10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
        '127.0.0.0/24 dev eth0 proto kernel scope link src 127.0.0.1',
        '',
      ].join('\n'),
    );
    expect(renderNeighbours(first.tables.neighbours.entries.values())).toBe(
      `10.244.2.0 dev flannel.1 lladdr ${mac(2)} PERMANENT\n10.244.3.0 dev flannel.1 lladdr ${mac(3)} PERMANENT\n`,
    );
    expect(renderFdb(first.tables.fdb.entries.values(), 'flannel.1')).toBe(
      `${mac(2)} dst 127.0.0.2 self permanent\n${mac(3)} dst 127.0.0.3 self permanent\n`,
    );
    expect(first.mtu).toBe(1450);
  });

  test('say how an address is reached', async () => {
    const { first } = await cluster(2);
    expect(
      ['10.244.1.5', '10.244.2.5', '127.0.0.2', '192.0.2.1'].map(
        (address) => first.reach(address).kind,
      ),
    ).toEqual(['local', 'overlay', 'direct', 'unreachable']);
  });

  test('host-gw and DirectRouting: everything is reached directly', async () => {
    for (const backend of [
      { Type: 'host-gw' },
      { Type: 'vxlan', Port: port, DirectRouting: true },
    ]) {
      const { first, nodes } = await cluster(2, { conf: netConf({ Backend: backend }) });
      expect(first.reach('10.244.2.5')).toMatchObject({
        kind: 'direct',
        route: { via: ip('127.0.0.2') },
      });
      for (const node of nodes) await node.close();
    }
  });

  test('a node that comes back with another address is reached there at once', async () => {
    await serve(80, (socket) => socket.end('still me'));
    const { first, second } = await cluster(2);
    expect(await textOf(first.connect(toPod(2, 80)).end())).toBe('still me');
    await second.close();
    const moved = await nodeAt(2, { publicIp: ip('127.0.0.9'), random: seededRandom('new MAC') });
    moved.addPod('10.244.2.5');
    for (const node of [first, moved]) node.setLeases([first.lease, moved.lease]);
    expect(await textOf(first.connect(toPod(2, 80)).end())).toBe('still me');
  });

  test('a lease that contradicts is a problem of this node, and clears', async () => {
    const { first, leases } = await cluster(2);
    const [, second] = leases;
    if (second?.ipv4 === undefined) throw new Error('no lease');
    first.setLeases([{ ...second, backendType: 'host-gw' }]);
    expect(first.problems).toEqual(['node node-2: has backend "host-gw", this node has "vxlan"']);
    first.setLeases(leases);
    expect(first.problems).toEqual([]);
  });
});

function renderMac(node: OverlayNode, number: number): string {
  const entry = [...node.tables.fdb.entries.values()].find(
    (each) => each.owner === `node-${number}`,
  );
  return (entry?.mac ?? 0)
    .toString(16)
    .padStart(12, '0')
    .replaceAll(/(..)(?!$)/g, '$1:');
}

/** False when the stream has not taken the chunk after many loop turns. */
async function isAccepted(stream: Duplex, chunk: Buffer): Promise<boolean> {
  const accepted: true[] = [];
  stream.write(chunk, () => accepted.push(true));
  for (let turn = 0; turn < 5000 && accepted.length === 0; turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  return accepted.length > 0;
}
