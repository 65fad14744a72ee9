// How both directions end: half-close, resets, kills, drains.
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { dial, echoBack, ending, readAll, readBytes, startServer } from '../../support/tcp.ts';
import { until } from '../../support/until.ts';
import { connectPair, type CreateEngine, start, toServer } from './harness.ts';

export function endings(create: CreateEngine): void {
  test('keeps the other direction open after the client finished', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    client.end('question');
    expect((await readAll(backend)).toString()).toBe('question');
    backend.end('answer');
    expect((await readAll(client)).toString()).toBe('answer');
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-fin', 'server-fin', 'closed']);
  });

  test('keeps the other direction open after the server finished', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    backend.end('goodbye');
    expect((await readAll(client)).toString()).toBe('goodbye');
    client.end('late words');
    expect((await readAll(backend)).toString()).toBe('late words');
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'server-fin', 'client-fin', 'closed']);
  });

  test('passes a reset of the server on as a reset', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    const end = ending(client);
    backend.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'server-reset', 'closed']);
  });

  // libuv reports data and the reset behind it as data and FIN: the client would take a piece for the whole.
  test('passes a reset on that comes right behind the last words', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    client.resume();
    backend.write('half of what I wanted to');
    backend.resetAndDestroy();
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'server-reset', 'closed']);
    expect(await answerTo(client)).not.toBe('silence');
    client.destroy();
  });

  test('passes a reset of the client on as a reset', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    const end = ending(backend);
    client.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-reset', 'closed']);
  });

  test('passes a reset on to a client that has already finished', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    client.end('question');
    await readAll(backend);
    const end = ending(client);
    backend.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'client-fin', 'server-reset', 'closed']);
  });

  test('close waits for connections; dispose resets them', async () => {
    await using server = await startServer(echoBack);
    const draining = await start(create, () => toServer(server));
    const client = await dial(draining.listener.local);
    await until(() => draining.engine.counters.active === 1);
    let closed = false;
    const drain = async (): Promise<void> => {
      await draining.engine.close();
      closed = true;
    };
    const closing = drain();
    client.write('ping');
    expect((await readBytes(client, 4)).toString()).toBe('ping');
    expect(closed).toBe(false);
    client.end();
    await closing;

    const ended = await start(create, () => toServer(server));
    const victim = await dial(ended.listener.local);
    await until(() => ended.engine.counters.active === 1);
    const end = ending(victim);
    await ended.engine[Symbol.asyncDispose]();
    expect(await end).toBe('ECONNRESET');
    expect(ended.engine.counters.active).toBe(0);
  });

  test('kill resets both sides of one connection', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    const ends = Promise.all([ending(client), ending(backend)]);
    recorder.connection?.kill();
    expect(await ends).toEqual(['ECONNRESET', 'ECONNRESET']);
    await recorder.ended();
    expect(recorder.events).toEqual(['established', 'closed']);
  });
}

/** What a word to the other side meets. A client hears of data and reset as of data and FIN; after a FIN it may talk on. */
function answerTo(client: Socket): Promise<string> {
  return new Promise((resolve) => {
    client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    if (client.destroyed) resolve('destroyed');
    else client.write('and?', () => setImmediate(() => resolve('silence')));
  });
}
