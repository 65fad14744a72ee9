import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { resetStream } from '../../src/base/reset-stream.ts';
import { dial, ending, startServer } from '../support/tcp.ts';
import { until } from '../support/until.ts';

async function pair(): Promise<{ near: Socket; far: Socket } & AsyncDisposable> {
  const server = await startServer();
  const accepted = server.accepted();
  const near = await dial(server);
  const far = await accepted;
  return { near, far, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

function closeOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}

describe('resetStream', () => {
  test('the other side of a socket sees a reset', async () => {
    await using sockets = await pair();
    const { near, far } = sockets;
    const seen = ending(far);
    const closed = closeOf(near);
    resetStream(near);
    expect(await seen).toBe('ECONNRESET');
    await closed;
  });

  // Node's own resetAndDestroy loses the socket here: no 'close', and the process never ends.
  test('a socket whose shutdown is under way is reset too, and closes', async () => {
    await using sockets = await pair();
    const { near, far } = sockets;
    const errors: Error[] = [];
    near.on('error', (error) => errors.push(error));
    const [closed, seen] = [closeOf(near), once(far, 'error')];
    far.resume();
    near.end();
    await until(() => near.writableLength === 0 && !near.writableFinished);
    resetStream(near);
    resetStream(near);
    await closed;
    // After a mere FIN the words would go out; whether the reset was met by the read or is by the write is chance.
    far.write('is anybody there?');
    expect(['ECONNRESET', 'EPIPE']).toContain(((await seen)[0] as NodeJS.ErrnoException).code);
    expect(errors).toEqual([]);
  });

  test('a socket with words left to send is reset at once', async () => {
    await using sockets = await pair();
    const { near, far } = sockets;
    const closed = closeOf(near);
    near.end(Buffer.alloc(32 << 20));
    expect(near.writableLength).toBeGreaterThan(0);
    resetStream(near);
    await closed;
    let received = 0;
    far.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await Promise.race([once(far, 'end'), once(far, 'close')]);
    expect(received).toBeLessThan(32 << 20);
  });

  test('a socket on its way is destroyed without waiting for an answer', async () => {
    await using server = await startServer();
    const socket = connect(server.port, server.address);
    expect(socket.connecting).toBe(true);
    const closed = closeOf(socket);
    resetStream(socket);
    expect(socket.destroyed).toBe(true);
    await closed;
  });

  test('what cannot be reset is destroyed, and twice is once', async () => {
    const stream = new PassThrough();
    const closed = once(stream, 'close');
    resetStream(stream);
    resetStream(stream);
    await closed;
    expect(stream.destroyed).toBe(true);
  });
});
