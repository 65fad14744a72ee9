// Violence against an engine for a bounded time: echo dialogues whose bytes are compared, cut at random by either
// side, with slow readers among them. Ends with what was corrupted and what was left open, both of which must be none.
//
//   npx tsx bench/forward/stress.bench.ts [--engine epoll] [--seconds 30] [--connections 200] [--seed 1]
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { createEngine, ENGINE_CHOICES } from '../../src/proxy/engine/create-engine.ts';

const ADDRESS = '127.0.0.1';
const MOST_BYTES = 600_000;
const SLOW_READER_PAUSE_MS = 20;

type Outcome = 'whole' | 'cut' | 'corrupt';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'epoll' },
    seconds: { type: 'string', default: '30' },
    connections: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
});
await main();

async function main(): Promise<void> {
  const choice = ENGINE_CHOICES.find((name) => name === values.engine);
  if (choice === undefined) throw new Error(`no engine is called ${values.engine}`);
  const before = openDescriptors();
  const backends = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    backends.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => backends.delete(socket));
    socket.pipe(socket);
  });
  server.listen(0, ADDRESS);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const engine = createEngine({ clock: systemClock, choice, onFallback: console.error });
  const listener = await engine.listen({
    address: ADDRESS,
    port: 0,
    route: () => ({ kind: 'dial', address: ADDRESS, port }),
  });

  const totals: Record<Outcome, number> = { whole: 0, cut: 0, corrupt: 0 };
  const deadline = systemClock.now() + Number(values.seconds) * 1000;
  const random = seededRandom(values.seed);
  const worker = async (mine: Random): Promise<void> => {
    while (systemClock.now() < deadline)
      totals[await dialogue(listener.local.port, mine, backends)] += 1;
  };
  await Promise.all(
    Array.from({ length: Number(values.connections) }, (_, index) =>
      worker(random.fork(String(index))),
    ),
  );
  await listener.close();
  await engine.close();
  for (const socket of backends) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const leaked = openDescriptors() - before;
  console.log(JSON.stringify({ engine: engine.name, ...totals, leaked, ...engine.counters }));
  if (totals.corrupt > 0 || leaked > 0) process.exitCode = 1;
}

/** Sends a pattern and compares its echo; a third is cut by the client, the server or a bystander's end. */
function dialogue(port: number, random: Random, backends: Set<Socket>): Promise<Outcome> {
  const length = 1 + random.below(MOST_BYTES);
  const salt = random.below(256);
  const payload = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) payload[at] = (at * 31 + (at >> 8) + salt) & 255;
  const cutAt = random.below(3) === 0 ? random.below(length) : Infinity;
  const slow = random.below(8) === 0;
  const client = connect({ port, host: ADDRESS, allowHalfOpen: true });
  let received = 0;
  let corrupt = false;
  client.on('error', () => {});
  client.on('data', (chunk: Buffer) => {
    corrupt ||= !chunk.equals(payload.subarray(received, received + chunk.length));
    received += chunk.length;
    if (received >= cutAt) cut(random.below(2) === 0 ? client : anyOf(backends, random));
    if (!slow) return;
    client.pause();
    setTimeout(() => client.resume(), SLOW_READER_PAUSE_MS);
  });
  client.end(payload);
  return new Promise((resolve) => {
    client.once('close', () => {
      if (corrupt) resolve('corrupt');
      else resolve(received === length ? 'whole' : 'cut');
    });
  });
}

function anyOf(sockets: Set<Socket>, random: Random): Socket | undefined {
  return [...sockets][random.below(Math.max(sockets.size, 1))];
}

/** Node leaks the descriptor of a socket that is reset while its shutdown(2) is under way: then later. */
function cut(socket: Socket | undefined): void {
  if (socket === undefined) return;
  const { writableEnded, writableFinished, writableLength } = socket;
  if (writableEnded && writableLength === 0 && !writableFinished)
    socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
