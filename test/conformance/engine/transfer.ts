// Bytes: order, amount, backpressure.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { dial, echoBack, readAll, readBytes, startServer, turns } from '../../support/tcp.ts';
import { connectPair, type CreateEngine, start, toServer } from './harness.ts';

/**
 * More MiB than the kernel buffers for two connections, whose reader grows its side up to tcp_rmem's maximum: 6 MiB
 * as shipped, but some machines allow 32.
 */
const MOST_CHUNKS = 128;

export function transfer(create: CreateEngine): void {
  test('passes on what the server says first', async () => {
    await using server = await startServer((socket) => socket.end('220 ready'));
    await using forwarder = await start(create, () => toServer(server));
    const { listener } = forwarder;
    const client = await dial(listener.local);
    expect((await readAll(client)).toString()).toBe('220 ready');
    client.end();
  });

  test('a slow reader stops the sender, and nothing is lost', async () => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend, recorder } = pair;
    const chunk = Buffer.alloc(1 << 20, 'x');
    let sent = 0;
    while (backend.writableLength === 0 && sent < MOST_CHUNKS) {
      backend.write(chunk);
      sent += 1;
      // Taken within so many turns, or not at all.
      for (let left = 2000; left > 0 && backend.writableLength > 0; left -= 1) {
        if (recorder.events.length > 1) break;
        await turns(1);
      }
    }
    // Kernel buffers of two connections, ours, and no more: the sender was stopped.
    expect(sent).toBeLessThan(MOST_CHUNKS);
    expect(recorder.connection?.bytesFromServer).toBeLessThan(sent * chunk.length);
    backend.end();
    const received = await readAll(client);
    expect(received.length).toBe(sent * chunk.length);
    client.end();
  });

  test.each([
    ['download', false],
    ['upload', true],
  ])('a big %s arrives unchanged', async (_direction, upload) => {
    await using server = await startServer();
    await using pair = await connectPair(create, server);
    const { client, backend } = pair;
    const [from, to] = upload ? [client, backend] : [backend, client];
    const random = seededRandom('big');
    const payload = Buffer.alloc(24 << 20);
    for (let at = 0; at < payload.length; at += 4) payload.writeUInt32LE(random.uint32(), at);
    from.end(payload);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(digest(await readAll(to))).toBe(digest(payload));
    to.end();
  });

  test('a dialogue of many small messages stays in order', async () => {
    await using server = await startServer(echoBack);
    await using forwarder = await start(create, () => toServer(server));
    const { listener } = forwarder;
    const client = await dial(listener.local);
    for (let message = 0; message < 500; message += 1) {
      const text = `message ${message} ${'.'.repeat(message % 97)}`;
      client.write(text);
      expect((await readBytes(client, text.length)).toString()).toBe(text);
    }
    client.end();
    await readAll(client);
  });
}
