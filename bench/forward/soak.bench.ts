// Many idle connections and a stream of new ones through one engine for a minute: nothing may leak, fail or stall.
// With a rate of 0 there is no stream, only idle connections, and what each of them costs, at first and after so long.
//
//   npm run bench:soak -- [--idle 10000] [--rate 2000] [--seconds 60] [--engine auto]
//   npm run bench:soak -- --idle 50000 --rate 0 --engine uring,epoll
//
// Descriptors: two a connection in the forwarder, one in the clients and one in the server, so each is a process of
// its own. Where the file limit does not allow 2 × idle and some, there are as many idle ones as it does, and it says so.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { createEngine, type EngineChoice } from '../../src/proxy/engine/create-engine.ts';
import { cpuMicros } from './child.ts';

const { values } = parseArgs({
  options: {
    role: { type: 'string', default: 'main' },
    idle: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '60' },
    /** Several with commas between them have their turn one after the other. */
    engine: { type: 'string', default: 'auto' },
    port: { type: 'string', default: '0' },
    /** By how many percent the memory may grow. */
    growth: { type: 'string', default: '10' },
  },
});
/** Descriptors of the forwarder that are no connection's. */
const OWN_DESCRIPTORS = 200;
const rate = Number(values.rate);
/** Two descriptors a connection, with room for half a second of the stream. */
const idleLimit = Math.floor((fileLimit() - OWN_DESCRIPTORS - rate) / 2);

const settings = {
  idle: Math.min(Number(values.idle), idleLimit),
  rate,
  seconds: Number(values.seconds),
  port: Number(values.port),
};
/** Source addresses of the clients: one would run out of ports. */
const CLIENT_ADDRESSES = 8;
const TICK_MS = 10;
/** The first connections compile code and fill pools: that is no leak. */
const WARM_UP_SECONDS = 5;
const REST_SECONDS = 60;

const ROLES: Readonly<Record<string, () => Promise<void>>> = { main, server, forwarder };
await ROLES[values.role]?.();

function fileLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

async function main(): Promise<void> {
  if (settings.idle < Number(values.idle))
    console.log(`the file limit allows ${settings.idle} idle connections, not ${values.idle}`);
  process.exitCode = 0;
  for (const engine of values.engine.split(',')) if (!(await soak(engine))) process.exitCode = 1;
}

/** False: something failed, grew or was left behind. */
async function soak(engine: string): Promise<boolean> {
  const backend = spawnRole('server', engine, 0);
  const backendPort = await answer<number>(backend);
  const proxy = spawnRole('forwarder', engine, backendPort);
  const port = await answer<number>(proxy);
  const before = await measure(proxy);
  const idle = await openIdle(port, settings.idle);
  await streamOfConnections(port, WARM_UP_SECONDS);
  const loaded = await measure(proxy);
  const outcome = await streamOfConnections(port, settings.seconds);
  const busy = await measure(proxy);
  for (const socket of idle) socket.destroy();
  const after = await measureAtRest(proxy, before);
  // Memory is compared between two states alike: all idle connections open, before and after the stream.
  const [first, last] = [loaded, busy].map((held) => perConnection(held, before, after));
  console.log(
    `${engine}: ${settings.idle} idle connections, ${first} KiB each, ${last} after ${settings.seconds} s`,
  );
  console.log(JSON.stringify({ ...outcome, cpuPercent: cpuShare(loaded, busy) }));
  console.log(`dial failures: ${busy.dialFailures}, sources lost: ${busy.sourcesLost}`);
  console.log(
    `memory: ${mib(before)} MiB before, ${mib(loaded)} MiB with the idle ones, ${mib(busy)} MiB after the stream, ${mib(after)} MiB when all have left (${percentMore(before, after)} %)`,
  );
  console.log(
    `JavaScript's own: ${liveMib(before)}, ${liveMib(loaded)}, ${liveMib(busy)}, ${liveMib(after)} MiB`,
  );
  console.log(`handles: ${before.handles} before, ${after.handles} after`);
  console.log(`event loop delay: p99 ${busy.delayP99Ms} ms, longest ${busy.delayMaxMs} ms`);
  console.log(`descriptors: ${before.descriptors} before, ${after.descriptors} after`);
  const ok =
    outcome.errors === 0 &&
    percentMore(loaded, busy) <= Number(values.growth) &&
    // Fewer is what starting had open for a while: none of that is a leak.
    after.descriptors <= before.descriptors &&
    after.handles <= before.handles &&
    after.active === 0;
  console.log(ok ? 'PASS' : 'FAIL');
  proxy.kill();
  backend.kill();
  return ok;
}

interface Measurement {
  readonly rssBytes: number;
  /** Objects and buffers alive. */
  readonly liveBytes: number;
  /** Of libuv, as Node counts them: sockets, servers, timers. */
  readonly handles: number;
  readonly descriptors: number;
  readonly active: number;
  readonly dialFailures: number;
  readonly sourcesLost: number;
  readonly cpuMicros: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

/** After a garbage collection; the delay is since the last measurement. */
async function measure(proxy: ChildProcess): Promise<Measurement> {
  proxy.send('measure');
  return answer<Measurement>(proxy);
}

/** Once everybody's end has been noticed; on a busy machine that takes its time. */
async function measureAtRest(proxy: ChildProcess, before: Measurement): Promise<Measurement> {
  for (let left = REST_SECONDS; ; left -= 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = await measure(proxy);
    const isAtRest = now.descriptors <= before.descriptors && now.handles <= before.handles;
    if (left === 0 || (isAtRest && now.active === 0)) return now;
  }
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const [message] = (await once(child, 'message')) as [T];
  return message;
}

function spawnRole(role: string, engine: string, port: number): ChildProcess {
  const argv = ['--role', role, '--port', String(port), '--engine', engine];
  const execArgv = ['--import', 'tsx', '--expose-gc'];
  return fork(import.meta.filename, argv, { execArgv });
}

function mib({ rssBytes }: Measurement): string {
  return (rssBytes / 2 ** 20).toFixed(1);
}

function liveMib({ liveBytes }: Measurement): string {
  return (liveBytes / 2 ** 20).toFixed(1);
}

/** In KiB. Starting leaves garbage, which may be gone when the connections are: the process without them is the smaller. */
function perConnection(held: Measurement, before: Measurement, after: Measurement): string {
  const without = Math.min(before.rssBytes, after.rssBytes);
  return ((held.rssBytes - without) / 1024 / settings.idle).toFixed(1);
}

/** By how much the memory has grown, rounded. */
function percentMore(before: Measurement, after: Measurement): number {
  return Math.round((after.rssBytes / before.rssBytes - 1) * 100);
}

function cpuShare(before: Measurement, after: Measurement): number {
  return Math.round((after.cpuMicros - before.cpuMicros) / settings.seconds / 10_000);
}

function clientAddress(index: number): string {
  return `127.0.0.${2 + (index % CLIENT_ADDRESSES)}`;
}

async function openIdle(port: number, count: number): Promise<ReturnType<typeof connect>[]> {
  const sockets: ReturnType<typeof connect>[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, (_, index) =>
      connect({ port, host: '127.0.0.1', localAddress: clientAddress(index) }),
    );
    // An echo proves that the whole way is open.
    await Promise.all(
      batch.map(async (socket) => {
        socket.once('close', () => socket.emit('error', new Error('an idle connection ended')));
        socket.write('x');
        await once(socket, 'data');
        socket.removeAllListeners('close').on('error', () => {});
      }),
    );
    sockets.push(...batch);
  }
  return sockets;
}

interface StreamOutcome {
  readonly connections: number;
  readonly errors: number;
  /** How often each. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** One request a connection, at a steady rate whatever becomes of the earlier ones. */
async function streamOfConnections(port: number, seconds: number): Promise<StreamOutcome> {
  const total = settings.rate * seconds;
  if (total === 0) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return { connections: 0, errors: 0, reasons: {} };
  }
  const startedAt = performance.now();
  let opened = 0;
  let ended = 0;
  let errors = 0;
  const reasons: Record<string, number> = {};
  await new Promise<void>((resolve) => {
    const open = (): void => {
      // Not bound: the kernel may then use the port of a connection that ended a second ago.
      const socket = connect({ port, host: '127.0.0.1' });
      opened += 1;
      socket.setNoDelay(true);
      let echoed = false;
      socket.on('data', () => {
        echoed = true;
        socket.end();
      });
      let reason = 'closed without an echo';
      socket.on('error', (error: NodeJS.ErrnoException) => {
        reason = `${error.syscall} ${error.code}`;
      });
      socket.on('close', () => {
        if (!echoed) {
          errors += 1;
          reasons[reason] = (reasons[reason] ?? 0) + 1;
        }
        ended += 1;
        if (ended === total) resolve();
      });
      socket.write('hello');
    };
    const timer = setInterval(() => {
      const due = Math.min(total, ((performance.now() - startedAt) / 1000) * settings.rate);
      for (let late = Math.floor(due) - opened; late > 0; late -= 1) open();
      if (opened >= total) clearInterval(timer);
    }, TICK_MS);
  });
  return { connections: total, errors, reasons };
}

async function server(): Promise<void> {
  const echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  echo.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(echo, 'listening');
  const bound = echo.address();
  process.send?.(typeof bound === 'object' ? bound?.port : undefined);
}

async function forwarder(): Promise<void> {
  const engine = createEngine({ clock: systemClock, choice: values.engine as EngineChoice });
  const route = { kind: 'dial', address: '127.0.0.1', port: settings.port } as const;
  const { local } = await engine.listen({
    address: '127.0.0.1',
    port: 0,
    // As the proxy does it: the endpoint sees the client's own address.
    route: ({ source }) => ({ ...route, localAddress: source.address }),
  });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  process.on('message', () => {
    // Buffers are given back in the background of a collection: the next one waits for it.
    globalThis.gc?.();
    globalThis.gc?.();
    const result: Measurement = {
      rssBytes:
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024,
      liveBytes: bytesAlive(),
      handles: process.getActiveResourcesInfo().length,
      descriptors: readdirSync('/proc/self/fd').length,
      active: engine.counters.active,
      dialFailures: engine.counters.dialFailures,
      sourcesLost: engine.counters.sourcesLost,
      cpuMicros: cpuMicros(process.pid),
      delayP99Ms: Math.round(delay.percentile(99) / 1e6),
      delayMaxMs: Math.round(delay.max / 1e6),
    };
    delay.reset();
    process.send?.(result);
  });
  process.send?.(local.port);
}

function bytesAlive(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
