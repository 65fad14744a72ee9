// Answers that stand: whether an engine follows them by itself or asks each time, what comes of it is the same.
import { expect, test } from 'vitest';
import type { Route, StandingRoute } from '../../../src/proxy/engine/engine.ts';
import type { SocketAddress } from '../../../src/proxy/flow.ts';
import { dial, echoBack, ending, fate, readAll, startServer } from '../../support/tcp.ts';
import { until } from '../../support/until.ts';
import { type CreateEngine, Recorder, start, toServer } from './harness.ts';

/** Connections one after the other: the first ones are asked about by every engine. */
const CLIENTS = 24;

/** Routes to the first of these servers, and says that any of them would do; each connection has a recorder of its own. */
function routerTo(servers: readonly SocketAddress[]) {
  const recorders: Recorder[] = [];
  const record = (): Recorder => {
    const recorder = new Recorder();
    recorders.push(recorder);
    return recorder;
  };
  const answer: StandingRoute = { choices: servers, seed: 7, taken: record };
  const route = (): Route => ({
    ...toServer(servers[0] as SocketAddress, record()),
    standing: () => answer,
  });
  return { route, recorders };
}

export function standing(create: CreateEngine): void {
  test('connections under a standing answer are served, heard of and counted like others', async () => {
    await using one = await startServer(echoBack);
    await using other = await startServer(echoBack);
    const { route, recorders } = routerTo([one, other]);
    await using forwarder = await start(create, route);
    const { engine, listener } = forwarder;
    for (let count = 0; count < CLIENTS; count += 1) {
      const client = await dial(listener.local);
      client.end('hello');
      expect((await readAll(client)).toString()).toBe('hello');
    }
    expect(one.sockets.length + other.sockets.length).toBe(CLIENTS);
    await until(() => engine.counters.active === 0);
    expect(engine.counters).toMatchObject({
      accepted: CLIENTS,
      bytesFromClients: 5 * CLIENTS,
      bytesFromServers: 5 * CLIENTS,
    });
    expect(recorders).toHaveLength(CLIENTS);
    for (const { events, connection } of recorders) {
      expect(events).toEqual(['established', 'client-fin', 'server-fin', 'closed']);
      expect(connection?.source.address).toBe('127.0.0.1');
      expect(connection?.destination).toEqual(listener.local);
      expect(connection?.bytesFromServer).toBe(5);
    }
  });

  test('a revoked answer is followed by nobody, from that moment on', async () => {
    await using old = await startServer(echoBack);
    await using fresh = await startServer(echoBack);
    let { route } = routerTo([old]);
    await using forwarder = await start(create, () => route());
    const { engine, listener } = forwarder;
    for (const [server, round] of [
      [fresh, 1],
      [old, 2],
      [fresh, 3],
    ] as const) {
      ({ route } = routerTo([server]));
      engine.revokeStanding();
      const before = server.sockets.length;
      for (let count = 0; count < 4; count += 1) {
        const client = await dial(listener.local);
        client.end('?');
        await readAll(client);
      }
      expect(server.sockets.length - before, `round ${round}`).toBe(4);
    }
  });

  test('an answer stands for one client address and one listener only', async () => {
    await using own = await startServer(echoBack);
    await using others = await startServer(echoBack);
    const mine = routerTo([own]);
    const theirs = routerTo([others]);
    await using forwarder = await start(create, (connection) =>
      connection.source.address === '127.0.0.7' ? mine.route() : theirs.route(),
    );
    const { engine, listener } = forwarder;
    const second = await engine.listen({ address: '127.0.0.1', port: 0, route: theirs.route });
    const visit = async (to: SocketAddress, from: string): Promise<void> => {
      const client = await dial(to, from);
      client.end();
      await readAll(client);
    };
    for (let count = 0; count < 5; count += 1) {
      await visit(listener.local, '127.0.0.7');
      await visit(listener.local, '127.0.0.8');
      await visit(second.local, '127.0.0.7');
    }
    expect(own.sockets).toHaveLength(5);
    expect(others.sockets).toHaveLength(10);
  });

  test('a listener in the place of a closed one is asked anew', async () => {
    await using old = await startServer(echoBack);
    await using fresh = await startServer(echoBack);
    await using forwarder = await start(create, routerTo([old]).route);
    const { engine, listener } = forwarder;
    const visit = async (): Promise<void> => {
      const client = await dial(listener.local);
      client.end();
      await readAll(client);
    };
    for (let count = 0; count < 4; count += 1) await visit();
    await listener.close();
    await engine.listen({ ...listener.local, route: routerTo([fresh]).route });
    for (let count = 0; count < 4; count += 1) await visit();
    expect(old.sockets).toHaveLength(4);
    expect(fresh.sockets).toHaveLength(4);
  });

  test('a server that refuses under a standing answer is a failed dial, and the client is reset', async () => {
    const closed = await startServer();
    await closed[Symbol.asyncDispose]();
    const { route, recorders } = routerTo([closed]);
    await using forwarder = await start(create, route);
    const { engine, listener } = forwarder;
    for (let count = 0; count < 4; count += 1)
      expect(await fate(listener.local)).toBe('ECONNRESET');
    await until(() => engine.counters.active === 0);
    expect(engine.counters.dialFailures).toBe(4);
    expect(recorders.map(({ events }) => events)).toEqual(
      Array.from({ length: 4 }, () => ['connect-failed', 'closed']),
    );
  });

  test('the limit holds for them, and the end of the engine reaches them', async () => {
    await using server = await startServer(echoBack);
    const { route, recorders } = routerTo([server]);
    const forwarder = await start(create, route, { limits: { maxConnections: 4 } });
    const { engine, listener } = forwarder;
    const clients = [];
    while (clients.length < 4) {
      clients.push(await dial(listener.local));
      await until(() => engine.counters.active === clients.length);
    }
    expect(await fate(listener.local)).toBe('ECONNRESET');
    expect(engine.counters).toMatchObject({ accepted: 5, overLimit: 1 });
    await until(() => recorders.filter(({ events }) => events.length > 0).length === 4);
    const endings = clients.map((client) => ending(client));
    await forwarder[Symbol.asyncDispose]();
    expect(await Promise.all(endings)).toEqual(Array.from({ length: 4 }, () => 'ECONNRESET'));
    expect(engine.counters.active).toBe(0);
  });
}
