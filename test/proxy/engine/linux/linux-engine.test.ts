import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { createEngine } from '../../../../src/proxy/engine/create-engine.ts';
import type { Route } from '../../../../src/proxy/engine/engine.ts';
import { engineConformance } from '../../../conformance/engine.ts';
import { Recorder, toServer } from '../../../conformance/engine/harness.ts';
import { breakForwarder } from '../../../support/break-forwarder.ts';
import { dial, echoBack, ending, readAll, readBytes, startServer } from '../../../support/tcp.ts';
import { until } from '../../../support/until.ts';

const CHOICES = ['epoll', 'uring'] as const;

for (const choice of CHOICES)
  engineConformance(choice, (options) => createEngine({ choice, ...options }));
engineConformance('uring with two threads', (options) =>
  createEngine({ choice: 'uring', threads: 2, ...options }),
);

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test.each(CHOICES)(
  '%s asks twice, and then follows the standing answer by itself',
  async (choice) => {
    await using server = await startServer(echoBack);
    await using engine = createEngine({ choice, clock: systemClock });
    let asked = 0;
    let followed = 0;
    const standing = {
      choices: [server],
      seed: 1,
      taken: () => {
        followed += 1;
        return undefined;
      },
    };
    const route = (): Route => {
      asked += 1;
      return { ...toServer(server), standing: () => standing };
    };
    const { local } = await engine.listen({ address: '127.0.0.1', port: 0, route });
    const visits = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1) {
        const client = await dial(local);
        client.end('hello');
        expect((await readAll(client)).toString()).toBe('hello');
      }
      // What the thread has done by itself is told now, not some time.
      engine.catchUp();
    };
    await visits(10);
    expect([asked, followed]).toEqual([2, 8]);
    engine.revokeStanding();
    await visits(5);
    expect([asked, followed]).toEqual([4, 11]);
  },
);

describe.each(CHOICES)('when a thread of %s dies', (choice) => {
  test('its connections end, and its listeners go on without it', async () => {
    const before = openDescriptors();
    {
      await using server = await startServer(echoBack);
      const complaints: string[] = [];
      await using engine = createEngine({
        choice,
        clock: systemClock,
        onFallback: (reason) => complaints.push(reason),
      });
      const recorder = new Recorder();
      const listener = await engine.listen({
        address: '127.0.0.1',
        port: 0,
        route: () => toServer(server, recorder),
      });
      const victim = await dial(listener.local);
      await until(() => recorder.events.includes('established'));
      const end = ending(victim);
      breakForwarder(choice);
      victim.write('wake up');

      expect(await end).toBe('ECONNRESET');
      await until(() => complaints.length > 0);
      expect(complaints).toEqual([expect.stringContaining('forwarding thread has died')]);
      expect(recorder.events).toEqual(['established', 'closed']);
      expect(engine.counters.active).toBe(0);
      expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain('[io_uring]');

      const survivor = await dial(listener.local);
      survivor.end('still served');
      expect((await readAll(survivor)).toString()).toBe('still served');
      await listener.close();
      await expect(dial(listener.local)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    await until(() => openDescriptors() <= before);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  test('the connections of its fellows go on, and every new client is served', async () => {
    await using server = await startServer(echoBack);
    const complaints: string[] = [];
    await using engine = createEngine({
      choice,
      threads: 2,
      clock: systemClock,
      onFallback: (reason) => complaints.push(reason),
    });
    const to = { address: '127.0.0.1', port: 0, route: () => toServer(server) };
    const listener = await engine.listen(to);
    const clients: Socket[] = [];
    while (clients.length < 16) clients.push(await dial(listener.local));
    await until(() => server.sockets.length === clients.length);
    const news = clients.map((client) => Promise.race([ending(client), firstWords(client)]));

    breakForwarder(choice);
    // It reaches, and so wakes, every thread.
    const another = await engine.listen(to);
    await until(() => complaints.length > 0);

    for (const client of clients) client.write('here?');
    const heard = await Promise.all(news);
    const alive = heard.filter((word) => word === 'here?');
    const dead = heard.filter((word) => word === 'ECONNRESET');
    expect(alive.length + dead.length).toBe(clients.length);
    expect(engine.counters.active).toBe(alive.length);
    for (let client = 0; client < 16; client += 1) {
      const fresh = await dial([listener, another][client % 2]?.local ?? listener.local);
      fresh.write('hello');
      expect((await readBytes(fresh, 5)).toString()).toBe('hello');
      fresh.destroy();
    }
    for (const client of clients) client.destroy();
  });
});

function firstWords(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
  });
}
