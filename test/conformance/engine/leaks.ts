// Violence, and what it leaves behind.
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { resetStream } from '../../../src/base/reset-stream.ts';
import { type Random, seededRandom } from '../../../src/base/random.ts';
import type { SocketAddress } from '../../../src/proxy/flow.ts';
import { dial, echoBack, ending, startServer, type TestServer, until } from '../../support/tcp.ts';
import { type CreateEngine, start, toServer } from './harness.ts';

export function leaks(create: CreateEngine): void {
  test('streams cut at random corrupt nobody and leave no descriptor', async () => {
    const before = openDescriptors();
    {
      await using server = await startServer(echoBack);
      await using forwarder = await start(create, () => toServer(server));
      const { engine, listener } = forwarder;
      const random = seededRandom('cut');
      const outcomes = await Promise.all(
        Array.from({ length: 120 }, (_, index) =>
          cutAtRandom(listener.local, server, random.fork(String(index))),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'corrupt')).toEqual([]);
      expect(outcomes).toContain('whole');
      expect(outcomes).toContain('cut');
      await until(() => engine.counters.active === 0);
    }
    await until(() => openDescriptors() <= before);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  test('resets that meet a shutdown under way leave no descriptor', async () => {
    const before = openDescriptors();
    {
      await using server = await startServer((socket) => {
        socket.on('data', () => socket.resetAndDestroy());
      });
      await using forwarder = await start(create, () => toServer(server));
      const { engine, listener } = forwarder;
      for (let round = 0; round < 50; round += 1) {
        const client = await dial(listener.local);
        const end = ending(client);
        client.end('reset me');
        await end;
        client.destroy();
      }
      await until(() => engine.counters.active === 0);
    }
    await until(() => openDescriptors() <= before);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** One echo dialogue; every third is cut somewhere, its own socket or anybody's at the server. */
async function cutAtRandom(
  to: SocketAddress,
  server: TestServer,
  random: Random,
): Promise<'whole' | 'cut' | 'corrupt'> {
  const client = await dial(to);
  const payload = Buffer.alloc(1 + random.below(400_000));
  for (let at = 0; at < payload.length; at += 1) payload[at] = (at * 31 + payload.length) & 255;
  const cutAt = random.below(3) === 0 ? random.below(payload.length) : Infinity;
  const chunks: Buffer[] = [];
  let length = 0;
  client.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length < cutAt) return;
    const victim =
      random.below(2) === 0 ? client : server.sockets[random.below(server.sockets.length)];
    if (victim !== undefined) resetStream(victim);
  });
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.end(payload);
  await closed;
  const received = Buffer.concat(chunks);
  if (received.equals(payload)) return 'whole';
  return received.equals(payload.subarray(0, received.length)) ? 'cut' : 'corrupt';
}
