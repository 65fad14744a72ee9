// Addresses, ports and limits.
import { expect, test } from 'vitest';
import type { Route } from '../../../src/proxy/engine/engine.ts';
import { dial, echoBack, fate, readAll, startServer } from '../../support/tcp.ts';
import { until } from '../../support/until.ts';
import { type CreateEngine, start, toServer } from './harness.ts';

export function listeners(create: CreateEngine): void {
  test('connections over the limit are reset, the others go on', async () => {
    await using server = await startServer(echoBack);
    await using forwarder = await start(create, () => toServer(server), {
      limits: { maxConnections: 2 },
    });
    const { engine, listener } = forwarder;
    const kept = [await dial(listener.local), await dial(listener.local)];
    await until(() => engine.counters.active === 2);
    expect(await fate(listener.local)).toBe('ECONNRESET');
    expect(engine.counters.overLimit).toBe(1);
    for (const client of kept) {
      client.end('still here');
      expect((await readAll(client)).toString()).toBe('still here');
    }
  });

  test('reports an address that is taken or not local', async () => {
    await using forwarder = await start(create, () => ({ kind: 'reset' }));
    const { engine, listener } = forwarder;
    const route = (): Route => ({ kind: 'reset' });
    await expect(engine.listen({ ...listener.local, route })).rejects.toMatchObject({
      name: 'ListenError',
      code: 'EADDRINUSE',
      local: listener.local,
    });
    await expect(engine.listen({ address: '192.0.2.1', port: 0, route })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
    });
  });

  test('a closed listener frees its port and leaves its connections alone', async () => {
    await using server = await startServer(echoBack);
    await using forwarder = await start(create, () => toServer(server));
    const { engine, listener } = forwarder;
    const client = await dial(listener.local);
    await until(() => engine.counters.active === 1);
    await listener.close();
    await expect(dial(listener.local)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const again = await engine.listen({ ...listener.local, route: () => ({ kind: 'reset' }) });
    expect(again.local).toEqual(listener.local);
    client.end('survivor');
    expect((await readAll(client)).toString()).toBe('survivor');
  });
}
