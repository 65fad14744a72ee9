// What a router can answer, and what becomes of it.
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { EngineConnection } from '../../../src/proxy/engine/engine.ts';
import type { Route } from '../../../src/proxy/engine/engine.ts';
import { dial, echoBack, ending, fate, readAll, startServer } from '../../support/tcp.ts';
import { until } from '../../support/until.ts';
import { type CreateEngine, Recorder, start, toServer } from './harness.ts';

export function routes(create: CreateEngine): void {
  test('tells the router who dialled what, and carries bytes both ways', async () => {
    await using server = await startServer(echoBack);
    const recorder = new Recorder();
    let seen: EngineConnection | undefined;
    await using forwarder = await start(create, (connection) => {
      seen = connection;
      return toServer(server, recorder);
    });
    const { engine, listener } = forwarder;
    const client = await dial(listener.local, '127.0.0.7');
    const source = { address: '127.0.0.7', port: client.localPort };
    client.end('hello');
    expect((await readAll(client)).toString()).toBe('hello');
    expect(seen?.source).toEqual(source);
    expect(seen?.destination).toEqual(listener.local);
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-fin', 'server-fin', 'closed']);
    expect(recorder.connection?.bytesFromClient).toBe(5);
    expect(recorder.connection?.bytesFromServer).toBe(5);
    expect(engine.counters).toMatchObject({ accepted: 1, active: 0, bytesFromClients: 5 });
  });

  test('resets the client when the server refuses', async () => {
    const closed = await startServer();
    await closed[Symbol.asyncDispose]();
    const recorder = new Recorder();
    await using forwarder = await start(create, () => toServer(closed, recorder));
    const { engine, listener } = forwarder;
    expect(await fate(listener.local)).toBe('ECONNRESET');
    await until(() => engine.counters.active === 0);
    expect(recorder.events).toEqual(['connect-failed', 'closed']);
    expect(engine.counters.dialFailures).toBe(1);
  });

  test('asks for another way when the server refuses, and uses it', async () => {
    const closed = await startServer();
    await closed[Symbol.asyncDispose]();
    await using server = await startServer(echoBack);
    const first = new Recorder();
    const second = new Recorder();
    let reason: Error | undefined;
    await using forwarder = await start(create, () => ({
      ...toServer(closed, first),
      retry: (error) => {
        reason = error;
        return toServer(server, second);
      },
    }));
    const { listener } = forwarder;
    const client = await dial(listener.local);
    client.end('again');
    expect((await readAll(client)).toString()).toBe('again');
    await second.ended();
    expect(reason).toMatchObject({ code: 'ECONNREFUSED' });
    expect(first.events).toEqual(['connect-failed', 'closed']);
    expect(second.events).toEqual(['established', 'client-fin', 'server-fin', 'closed']);
  });

  test('gives up a dial after its time', async () => {
    const clock = new ManualClock();
    const recorder = new Recorder();
    let failed: Error | undefined;
    // A stream that never connects stands for a server that never answers.
    const silent = new Duplex({ read() {}, write() {} });
    await using forwarder = await start(
      create,
      () => ({
        kind: 'stream',
        timeoutMs: 250,
        observer: recorder,
        open: () => Object.assign(silent, { connecting: true }),
        retry: (error) => {
          failed = error;
          return { kind: 'close' };
        },
      }),
      { clock },
    );
    const { listener } = forwarder;
    const client = await dial(listener.local);
    await until(() => clock.pending > 0);
    clock.advance(249);
    expect(failed).toBeUndefined();
    clock.advance(1);
    expect(await ending(client)).toBe('fin');
    client.destroy();
    expect(failed).toMatchObject({ code: 'ETIMEDOUT' });
    expect(recorder.events).toEqual(['connect-failed', 'closed']);
  });

  test('routes of kind reset and close end the client so', async () => {
    const answers: Route[] = [{ kind: 'reset' }, { kind: 'close' }];
    await using forwarder = await start(create, () => answers.shift() ?? { kind: 'hold' });
    const { listener } = forwarder;
    expect(await fate(listener.local)).toBe('ECONNRESET');
    expect(await fate(listener.local)).toBe('fin');
  });

  test('a held client gets no answer until it goes or the time is over', async () => {
    const clock = new ManualClock();
    await using forwarder = await start(create, () => ({ kind: 'hold' }), {
      clock,
      limits: { holdTimeoutMs: 1000 },
    });
    const { engine, listener } = forwarder;
    const patient = await dial(listener.local);
    const impatient = await dial(listener.local);
    patient.write('anybody?');
    await until(() => clock.pending === 2);
    impatient.end();
    await until(() => engine.counters.active === 1);
    expect(clock.pending).toBe(1);
    const end = ending(patient);
    clock.advance(1000);
    expect(await end).toBe('ECONNRESET');
    impatient.destroy();
  });

  test('binds the source address it is told', async () => {
    await using server = await startServer((socket) =>
      socket.end(socket.remoteAddress ?? 'nobody'),
    );
    await using forwarder = await start(create, () => ({
      ...toServer(server),
      localAddress: '127.0.9.9',
    }));
    const { engine, listener } = forwarder;
    for (let round = 0; round < 20; round += 1) {
      const client = await dial(listener.local);
      expect((await readAll(client)).toString()).toBe('127.0.9.9');
      client.end();
    }
    expect(engine.counters.sourcesLost).toBe(0);
  });

  test('goes on with another source address when the one asked for is not local', async () => {
    await using server = await startServer((socket) =>
      socket.end(socket.remoteAddress ?? 'nobody'),
    );
    await using forwarder = await start(create, () => ({
      ...toServer(server),
      localAddress: '192.0.2.1',
    }));
    const { engine, listener } = forwarder;
    const client = await dial(listener.local);
    expect((await readAll(client)).toString()).toBe('127.0.0.1');
    client.end();
    expect(engine.counters.sourcesLost).toBe(1);
  });

  test('forwards through a stream that is no socket, with both endings', async () => {
    const streams: Duplex[] = [];
    await using forwarder = await start(create, () => ({
      kind: 'stream',
      open: () => {
        const stream = upperCase();
        streams.push(stream);
        return stream;
      },
    }));
    const { listener } = forwarder;
    const client = await dial(listener.local);
    client.end('quiet');
    expect((await readAll(client)).toString()).toBe('QUIET');

    const victim = await dial(listener.local);
    await until(() => streams.length === 2);
    const end = ending(victim);
    streams[1]?.destroy(new Error('the overlay is gone'));
    expect(await end).toBe('ECONNRESET');
  });

  test('splices a stream that did not come through a listener', async () => {
    await using server = await startServer(echoBack);
    await using engine = create({ clock: systemClock });
    const [near, far] = duplexPair();
    const addresses = {
      source: { address: '192.0.2.7', port: 7 },
      destination: { address: '192.0.2.8', port: 80 },
    };
    engine.splice(far, addresses, (connection) => {
      expect(connection.source).toEqual(addresses.source);
      return toServer(server);
    });
    near.end('through');
    const chunks: Buffer[] = [];
    for await (const chunk of near) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('through');
  });
}

function upperCase(): Duplex {
  return new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      this.push(chunk.toString().toUpperCase());
      done();
    },
    final(done) {
      this.push(null);
      done();
    },
  });
}

/** Two streams, each the other's far side. */
function duplexPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  const near: Duplex = make(() => far);
  const far: Duplex = make(() => near);
  return [near, far];
}
