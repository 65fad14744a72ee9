import { createHash } from 'node:crypto';
import * as http from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../../src/base/errors.ts';
import { TcpStream } from '../../src/netstack/tcp-stream.ts';
import { Simulation } from '../sim/simulation.ts';

const PORT = 80;

/** Two hosts 1 ms apart; every step runs the network for 5 ms of virtual time, then Node for a turn. */
class StreamWorld {
  readonly simulation: Simulation = new Simulation({ seed: 'streams', forward: { delayMs: 1 } });

  listen(onStream: (stream: TcpStream) => void): void {
    this.simulation.server.stack.tcp.listen(0, PORT, {
      onConnection: (socket) => onStream(new TcpStream(socket, { clock: this.simulation.clock })),
    });
  }

  dial(port: number = PORT): TcpStream {
    const socket = this.simulation.dial(port);
    return new TcpStream(socket, { clock: this.simulation.clock, isConnecting: true });
  }

  async until<T>(promise: Promise<T>): Promise<T> {
    const progress = { isSettled: false };
    const settle = (): void => {
      progress.isSettled = true;
    };
    promise.then(settle, settle);
    for (let turn = 0; !progress.isSettled && turn < 100_000; turn += 1) await this.step();
    return promise;
  }

  async step(): Promise<void> {
    const { clock } = this.simulation;
    clock.advance(5);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets TIME-WAIT pass and counts the connections that are left. */
  async leftovers(): Promise<number> {
    await this.step();
    const { client, server } = this.simulation;
    this.simulation.run();
    return client.stack.tcp.connectionCount + server.stack.tcp.connectionCount;
  }
}

function digest(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Not by iteration, which destroys the writable side too. */
function collect(stream: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  stream.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    stream.once('end', () => resolve(Buffer.concat(chunks)));
    stream.once('error', reject);
  });
}

function eventOf(stream: TcpStream, name: string): Promise<unknown> {
  return new Promise((resolve) => stream.once(name, resolve));
}

const megabytes = (count: number): Buffer =>
  Buffer.from(
    Uint8Array.from({ length: count * 1_000_000 }, (_, index) => (index * 7) ^ (index >> 9)),
  );

describe('as a stream', () => {
  test('megabytes both ways through pipelines', async () => {
    const world = new StreamWorld();
    const data = megabytes(3);
    world.listen((stream) => void pipeline(stream, stream));
    const client = world.dial();
    const echoed = collect(client);
    const written = pipeline(Readable.from([data]), client, { end: true });
    await world.until(written.catch(() => undefined));
    expect(digest(await world.until(echoed))).toBe(digest(data));
    expect([client.bytesRead, client.bytesWritten]).toEqual([data.length, data.length]);
    expect(await world.leftovers()).toBe(0);
  });

  test('a reader that does not read stops the writer', async () => {
    const world = new StreamWorld();
    let server: TcpStream | undefined;
    world.listen((stream) => {
      server = stream;
    });
    const client = world.dial();
    let accepted = 0;
    client.on('error', () => undefined);
    const chunk = Buffer.alloc(100_000);
    const fill = (): void => {
      while (client.write(chunk)) accepted += chunk.length;
    };
    client.on('drain', fill);
    fill();
    for (let turn = 0; turn < 2000; turn += 1) await world.step();
    // Both stacks' buffers and both streams' own, no more.
    expect(accepted).toBeLessThan(4_000_000);
    expect(server?.socket.readableBytes).toBeGreaterThan(900_000);
    client.resetAndDestroy();
    server?.destroy();
    expect(await world.leftovers()).toBe(0);
  });

  test('half-close: the answer comes after the end of the question', async () => {
    const world = new StreamWorld();
    world.listen((stream) => {
      void collect(stream).then((question) => stream.end(`${question.length} bytes`));
    });
    const client = world.dial();
    client.end('hello');
    expect((await world.until(collect(client))).toString()).toBe('5 bytes');
    expect(await world.leftovers()).toBe(0);
  });

  test('a port nobody listens on: ECONNREFUSED', async () => {
    const world = new StreamWorld();
    const error = await world.until(eventOf(world.dial(81), 'error'));
    expect(errorCode(error)).toBe('ECONNREFUSED');
    expect(await world.leftovers()).toBe(0);
  });

  test('a reset stays a reset', async () => {
    const world = new StreamWorld();
    world.listen((stream) => void stream.resetAndDestroy());
    const client = world.dial();
    const error = await world.until(eventOf(client, 'error'));
    expect([errorCode(error), client.destroyed]).toEqual(['ECONNRESET', true]);
    expect(await world.leftovers()).toBe(0);
  });

  test('says when it is connected, and with whom', async () => {
    const world = new StreamWorld();
    const peers: string[] = [];
    world.listen((stream) => {
      peers.push(`${stream.remoteAddress}:${stream.remotePort} at ${stream.localPort}`);
      stream.end();
    });
    const client = world.dial();
    expect(client.connecting).toBe(true);
    await world.until(eventOf(client, 'connect'));
    expect([client.connecting, client.remoteAddress]).toEqual([false, '192.0.2.2']);
    client.resume().end();
    await world.until(eventOf(client, 'close'));
    expect(peers).toEqual([`192.0.2.1:${client.localPort} at 80`]);
    expect(await world.leftovers()).toBe(0);
  });

  test('a timeout counts from the last read or write', async () => {
    const world = new StreamWorld();
    world.listen((stream) => void stream.resume());
    const client = world.dial();
    const { clock } = world.simulation;
    let timedOutAt = 0;
    client.setTimeout(100, () => {
      timedOutAt = clock.now();
    });
    for (let turn = 0; turn < 10; turn += 1) await world.step();
    client.write('still here');
    for (let turn = 0; turn < 40; turn += 1) await world.step();
    expect(timedOutAt).toBe(150);
    client.destroy();
    await world.step();
    world.simulation.run();
  });
});

describe('under HTTP', () => {
  function serve(world: StreamWorld, onRequest: http.RequestListener): http.Server {
    const server = http.createServer(onRequest);
    world.listen((stream) => void server.emit('connection', stream));
    return server;
  }

  function request(
    world: StreamWorld,
    options: http.RequestOptions,
    body?: Uint8Array,
  ): Promise<{ status: number | undefined; body: Buffer; socket: unknown }> {
    return world.until(
      new Promise((resolve, reject) => {
        const outgoing = http.request({ host: '192.0.2.2', ...options }, (response) => {
          const { socket } = response;
          collect(response).then(
            (received) => resolve({ status: response.statusCode, body: received, socket }),
            reject,
          );
        });
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    );
  }

  test('a request and a megabyte back, then another over the same connection', async () => {
    const world = new StreamWorld();
    const data = megabytes(1);
    serve(world, (incoming, response) => {
      void collect(incoming).then((body) => response.end(body.length > 0 ? body : data));
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => world.dial();
    const first = await request(world, { agent, path: '/down' });
    expect([first.status, digest(first.body)]).toEqual([200, digest(data)]);
    const second = await request(world, { agent, path: '/up', method: 'POST' }, data);
    expect(digest(second.body)).toBe(digest(data));
    expect(world.simulation.client.stack.tcp.counters.activeOpens).toBe(1);
    agent.destroy();
    for (let turn = 0; turn < 10; turn += 1) await world.step();
    expect(await world.leftovers()).toBe(0);
  });

  test('a server that closes ends the connection in order', async () => {
    const world = new StreamWorld();
    serve(world, (_, response) => {
      response.setHeader('connection', 'close');
      response.end('bye');
    });
    const answer = await request(world, { createConnection: () => world.dial() });
    expect(answer.body.toString()).toBe('bye');
    for (let turn = 0; turn < 10; turn += 1) await world.step();
    expect(world.simulation.client.stack.tcp.counters.estabResets).toBe(0);
    expect(await world.leftovers()).toBe(0);
  });
});
