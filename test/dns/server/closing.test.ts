// A server that closes still answers what its clients have sent, and keeps connections that are in use.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { withLength } from '../../../src/dns/server/tcp-framing.ts';
import { DEFAULT_TCP_LIMITS } from '../../../src/dns/server/tcp-listener.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import { freePort } from '../../support/free-port.ts';
import { clusterSource } from '../cluster-fixture.ts';
import { exchangeOverTcp, queryBytes, startTestServer } from '../dns-fixture.ts';

const PLAIN = '.:53 {\n kubernetes cluster.local\n}';
const QUERY = queryBytes('svc1.testns.svc.cluster.local.');

function portOf(server: DnsServer): number {
  return server.addresses[0]?.port ?? 0;
}

/** Sends a query and waits for the answer. */
async function askOn(socket: Socket): Promise<void> {
  const answered = once(socket, 'data');
  socket.write(withLength(QUERY));
  await answered;
}

test('datagrams that have come in are answered', async () => {
  const server = await startTestServer(PLAIN, { source: clusterSource() });
  const socket = createSocket('udp4');
  let answers = 0;
  const all = new Promise<void>((resolve) => {
    socket.on('message', () => {
      answers += 1;
      if (answers === 20) resolve();
    });
  });
  for (let sent = 0; sent < 20; sent += 1) socket.send(QUERY, portOf(server), '127.0.0.1');
  await server.close();
  await all;
  expect(answers).toBe(20);
  await new Promise<void>((resolve) => socket.close(resolve));
});

/** Longer than any silence after which a server closes. */
const PAUSE_MS = 1200;

/** The whole process stands still, as on a machine that has other things to do. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}

test('what has come in while the process stood still is answered', async () => {
  const server = await startTestServer(PLAIN, { source: clusterSource() });
  const datagrams = createSocket('udp4');
  const socket = connect(portOf(server), '127.0.0.1');
  await askOn(socket);
  datagrams.bind(0, '127.0.0.1');
  await once(datagrams, 'listening');
  const answers = [once(datagrams, 'message'), once(socket, 'data')];
  const closed = server.close();
  socket.write(withLength(QUERY));
  datagrams.send(QUERY, portOf(server), '127.0.0.1');
  await new Promise((resolve) => setImmediate(resolve));
  standStill();
  expect(await Promise.all(answers)).toHaveLength(2);
  socket.destroy();
  await closed;
  await new Promise<void>((resolve) => datagrams.close(resolve));
});

test('a connection in use is served until it is quiet', async () => {
  const server = await startTestServer(PLAIN, { source: clusterSource() });
  const socket = connect(portOf(server), '127.0.0.1');
  await askOn(socket);
  const closed = server.close();
  const ended = once(socket, 'end');
  for (let asked = 0; asked < 5; asked += 1) await askOn(socket);
  // Others are not let in.
  await expect(exchangeOverTcp(portOf(server), [QUERY])).rejects.toThrow('ECONNREFUSED');
  await ended;
  await closed;
});

test('a client that never stops is ended after drainTimeoutMs', async () => {
  const tcpLimits = { ...DEFAULT_TCP_LIMITS, drainTimeoutMs: 50 };
  const server = await startTestServer(PLAIN, { source: clusterSource(), tcpLimits });
  const socket = connect(portOf(server), '127.0.0.1');
  await askOn(socket);
  const ended = once(socket, 'end');
  const closed = server.close();
  let asked = 0;
  for (; !socket.readableEnded; asked += 1) await Promise.race([askOn(socket), ended]);
  expect(asked).toBeGreaterThan(1);
  await closed;
});

test('ready refuses from the start of lameduck, health goes on', async () => {
  const [health, ready] = [await freePort(), await freePort()];
  const text = `. {\n health 127.0.0.1:${health} {\n lameduck 60s\n}\n ready 127.0.0.1:${ready}\n kubernetes cluster.local\n}`;
  const server = await startTestServer(text, { source: clusterSource() });
  expect(await statusOf(ready, '/ready')).toBe(200);
  const closed = server.close();
  expect(await statusOf(ready, '/ready')).toBe('ECONNREFUSED');
  expect(await statusOf(health, '/health')).toBe(200);
  expect(await exchangeOverTcp(portOf(server), [QUERY])).toHaveLength(1);
  await server[Symbol.asyncDispose]();
  await closed;
});

function statusOf(port: number, path: string): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
}
