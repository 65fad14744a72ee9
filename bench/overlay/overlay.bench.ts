// Goodput and CPU of the overlay, one flow and 16: two podwire nodes in one process and in two, at the usual MTU and at
// loopback's, beside the kernel's own vxlan between two namespaces (root and iperf3; left out where they are not). Then
// what a small request costs through the overlay and through a plain forward. Linux only.
//
//   npx tsc -p tsconfig.bench.json && node .bench/bench/overlay/overlay.bench.js [--rounds 3] [--seconds 2] [--only goodput|latency]
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { OverlayNode } from '../../src/overlay/overlay-node.ts';
import { kernelObstacle, KernelVxlan, type Transfer } from './kernel-vxlan.ts';
import type { Request } from './node-child.ts';
import { FORWARD_PORTS, openNode, podOf, transfer } from './transfer.ts';

const MEBIBYTE = 1 << 20;
/** A small request, and its answer. */
const MESSAGE = Buffer.alloc(64, 'x');
const UNDERLAY_MTUS = [1500, 65_536] as const;
const FLOWS = [1, 16] as const;
/** About as much as a second moves. */
const BYTES: Readonly<Record<number, number>> = { 1500: 100 * MEBIBYTE, 65_536: 600 * MEBIBYTE };

/** Two ends that move bytes; CPU is of both. */
interface Subject extends AsyncDisposable {
  readonly name: string;
  run(flows: number): Transfer | Promise<Transfer>;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
  },
});
const obstacle = kernelObstacle();
if (obstacle !== undefined) console.log(`the kernel's vxlan is left out: ${obstacle}`);
if (values.only !== 'latency') for (const mtu of UNDERLAY_MTUS) await compare(mtu);
if (values.only !== 'goodput') for (const mtu of UNDERLAY_MTUS) await latencies(mtu);

/** Subjects take turns, so that the machine's moods meet all alike. */
async function compare(underlayMtu: number): Promise<void> {
  const bytes = BYTES[underlayMtu] ?? MEBIBYTE;
  const starts: (() => Promise<Subject>)[] = [
    () => twoProcesses(underlayMtu, bytes),
    () => oneProcess(underlayMtu, bytes),
    ...(obstacle === undefined
      ? [() => kernel(underlayMtu, 'on'), () => kernel(underlayMtu, 'off')]
      : []),
  ];
  const results = new Map<string, Transfer[]>();
  // Round 0 warms up.
  for (let round = 0; round <= Number(values.rounds); round += 1)
    for (const start of starts) {
      const subject = await start();
      try {
        // What starts a process lets its code be compiled first.
        await subject.run(1);
        for (const flows of FLOWS) {
          const key = `${subject.name} | ${flows}`;
          const list = results.get(key) ?? [];
          results.set(key, list);
          const result = await subject.run(flows);
          if (round > 0) list.push(result);
        }
      } finally {
        await subject[Symbol.asyncDispose]();
      }
    }
  console.log(`\ninner MTU ${Math.min(underlayMtu - 50, 65_485)}`);
  console.log(
    '| | flows | Mb/s | sender CPU ms/MiB | receiver CPU ms/MiB | Mb/s per core, sender | receiver | both |\n|---|---|---|---|---|---|---|---|',
  );
  for (const [key, list] of results) console.log(`| ${key} | ${rowOf(list)} |`);
}

function rowOf(list: readonly Transfer[]): string {
  const of = (value: (each: Transfer) => number, digits = 0): string =>
    median(list.map(value)).toFixed(digits);
  const megabits = (each: Transfer): number => (each.bytes * 8) / 1e6;
  const perMiB = (seconds: number, each: Transfer): number =>
    (seconds * 1000) / (each.bytes / MEBIBYTE);
  return [
    of((each) => megabits(each) / each.seconds),
    of((each) => perMiB(each.senderCpuSeconds, each), 2),
    of((each) => perMiB(each.receiverCpuSeconds, each), 2),
    of((each) => megabits(each) / each.senderCpuSeconds),
    of((each) => megabits(each) / each.receiverCpuSeconds),
    of((each) => megabits(each) / (each.senderCpuSeconds + each.receiverCpuSeconds)),
  ].join(' | ');
}

async function oneProcess(underlayMtu: number, bytes: number): Promise<Subject> {
  const forwardPorts = FORWARD_PORTS;
  const first = await openNode({ index: 1, underlayMtu, forwardPorts });
  const second: OverlayNode = await openNode({ index: 2, underlayMtu, forwardPorts });
  return {
    name: 'podwire, one process',
    async run(flows) {
      const before = process.cpuUsage();
      const began = performance.now();
      await transfer(first, podOf(2), flows, bytes);
      const seconds = (performance.now() - began) / 1000;
      const { user, system } = process.cpuUsage(before);
      // The two ends cannot be told apart: half each.
      const half = (user + system) / 2e6;
      return { bytes, seconds, senderCpuSeconds: half, receiverCpuSeconds: half };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([first.close(), second.close()]);
    },
  };
}

async function twoProcesses(underlayMtu: number, bytes: number): Promise<Subject> {
  const [sender, receiver] = await startNodes(underlayMtu);
  return {
    name: 'podwire, two processes',
    async run(flows) {
      const before = [await cpuSeconds(sender), await cpuSeconds(receiver)] as const;
      const began = performance.now();
      await ask(sender, { kind: 'transfer', to: podOf(2), flows, bytes });
      const seconds = (performance.now() - began) / 1000;
      return {
        bytes,
        seconds,
        senderCpuSeconds: (await cpuSeconds(sender)) - before[0],
        receiverCpuSeconds: (await cpuSeconds(receiver)) - before[1],
      };
    },
    [Symbol.asyncDispose]: () => end([sender, receiver]),
  };
}

async function kernel(underlayMtu: number, offloads: 'on' | 'off'): Promise<Subject> {
  const vxlan = await KernelVxlan.start(underlayMtu, offloads);
  return {
    name: `kernel vxlan, offloads ${offloads}`,
    run: (flows) => vxlan.transfer(flows, Number(values.seconds)),
    [Symbol.asyncDispose]: () => vxlan[Symbol.asyncDispose](),
  };
}

/** Round trips of 64 bytes over one connection, and connections with one round trip each. */
async function latencies(underlayMtu: number): Promise<void> {
  const nodes = await startNodes(underlayMtu);
  try {
    console.log(`\nsmall requests, inner MTU ${Math.min(underlayMtu - 50, 65_485)}, µs`);
    console.log('| | direct p50 | overlay p50 | ratio |\n|---|---|---|---|');
    const measures = [
      ['kept connection', 5000, keptConnection],
      ['new connection', 1000, newConnections],
    ] as const;
    for (const [name, count, measure] of measures) {
      const samples = { direct: [] as number[], overlay: [] as number[] };
      for (let round = 0; round <= Number(values.rounds); round += 1)
        for (const way of ['direct', 'overlay'] as const) {
          const micros = await measure(FORWARD_PORTS[way], count);
          if (round > 0) samples[way].push(median(micros));
        }
      const [direct, overlay] = [median(samples.direct), median(samples.overlay)];
      const cells = [direct.toFixed(0), overlay.toFixed(0), (overlay / direct).toFixed(2)];
      console.log(`| ${name} | ${cells.join(' | ')} |`);
    }
  } finally {
    await end(nodes);
  }
}

async function keptConnection(port: number, count: number): Promise<number[]> {
  const socket = await open(port);
  const micros: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const began = performance.now();
    await roundTrip(socket);
    micros.push((performance.now() - began) * 1000);
  }
  socket.destroy();
  return micros;
}

async function newConnections(port: number, count: number): Promise<number[]> {
  const micros: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const began = performance.now();
    const socket = await open(port);
    await roundTrip(socket);
    micros.push((performance.now() - began) * 1000);
    socket.destroy();
  }
  return micros;
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: podOf(1), port, noDelay: true });
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}

async function roundTrip(socket: Socket): Promise<void> {
  socket.write(MESSAGE);
  await once(socket, 'data');
}

async function startNodes(underlayMtu: number): Promise<[ChildProcess, ChildProcess]> {
  const start = async (index: number): Promise<ChildProcess> => {
    const script = join(import.meta.dirname, `node-child${extname(import.meta.filename)}`);
    const settings = { index, underlayMtu, forwardPorts: FORWARD_PORTS };
    const child = fork(script, [JSON.stringify(settings)]);
    await once(child, 'message');
    return child;
  };
  return [await start(1), await start(2)];
}

async function ask(child: ChildProcess, request: Request): Promise<unknown> {
  const answered = once(child, 'message');
  child.send(request);
  return (await answered)[0] as unknown;
}

async function cpuSeconds(child: ChildProcess): Promise<number> {
  const { cpuMicros } = (await ask(child, { kind: 'cpu' })) as { readonly cpuMicros: number };
  return cpuMicros / 1e6;
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    }),
  );
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
