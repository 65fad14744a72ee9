// What forwarding costs: CPU of the proxy process a keep-alive request, a new connection and a MiB, next to
// HAProxy and nginx on the same machine in the same run. Linux only; absent peers are left out.
//
//   npm run bench:forward -- [--rounds 5] [--seconds 3] [--only 'podwire net,nginx stream'] [--measures upload,download]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Child, cpuMicros, isInstalled } from './child.ts';
import { type Peer, peers, startBackend } from './peers.ts';
import { startSink, upload } from './upload.ts';
import { REPORT_LUA, runWrk, type WrkLoad } from './wrk.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const BACKEND_PORT = 28_080;
const FIRST_PEER_PORT = 28_100;
const MEBIBYTE = 1 << 20;
const BASELINE = 'haproxy';

interface Measure {
  readonly name: string;
  readonly title: string;
  /** `sink`: bytes sent through the peer to a server that throws them away. Otherwise wrk asks the backend. */
  readonly load: Omit<WrkLoad, 'seconds'> | { readonly path: 'sink'; readonly connections: number };
  readonly unit: 'requests' | 'mebibytes';
}

const MEASURES: readonly Measure[] = [
  {
    name: 'request',
    title: 'keep-alive request, 64 connections',
    load: { path: '/', connections: 64, keepAlive: true },
    unit: 'requests',
  },
  {
    name: 'connection',
    title: 'new connection and request',
    load: { path: '/', connections: 16, keepAlive: false },
    unit: 'requests',
  },
  {
    name: 'download',
    title: 'MiB downloaded, 4 connections',
    load: { path: '/16m', connections: 4, keepAlive: true },
    unit: 'mebibytes',
  },
  {
    name: 'upload',
    title: 'MiB uploaded, 4 connections',
    load: { path: 'sink', connections: 4 },
    unit: 'mebibytes',
  },
];

interface Sample {
  readonly cpuMicros: number;
  /** NaN for uploads, which wait for nothing. */
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly errors: number;
}

interface Running {
  readonly peer: Peer;
  readonly child: Child;
  readonly port: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
    measures: { type: 'string' },
  },
});
const measures = MEASURES.filter(({ name }) => values.measures?.split(',').includes(name) ?? true);

async function main(rounds: number, seconds: number, only: string[] | undefined): Promise<void> {
  for (const command of ['wrk', 'nginx'])
    if (!isInstalled(command)) throw new Error(`${command} is needed: apt-get install ${command}`);
  const folder = mkdtempSync(join(tmpdir(), 'bench-forward-'));
  try {
    writeFileSync(join(folder, '16m'), Buffer.alloc(16 * MEBIBYTE, 'x'));
    const script = join(folder, 'report.lua');
    writeFileSync(script, REPORT_LUA);
    await using backend = new AsyncStack();
    backend.use(await startBackend(folder, BACKEND_PORT));
    const sink = backend.use(await startSink());
    const chosen = peers(folder, compileChild()).filter(
      ({ name }) => only === undefined || name === BASELINE || only.includes(name),
    );
    let port = FIRST_PEER_PORT;
    for (const measure of measures) {
      await using children = new AsyncStack();
      const running: Running[] = [];
      const target = measure.load.path === 'sink' ? sink.port : BACKEND_PORT;
      for (const peer of chosen)
        if (peer.installed) {
          port += 1;
          running.push({ peer, port, child: children.use(await peer.start(port, target)) });
        } else console.log(`${peer.name} is not installed: left out`);
      printTable(measure, await takeSamples(measure, running, { rounds, seconds, script }));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Ended in reverse order. */
class AsyncStack implements AsyncDisposable {
  readonly #resources: AsyncDisposable[] = [];

  use<R extends AsyncDisposable>(resource: R): R {
    this.#resources.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#resources.toReversed()) await resource[Symbol.asyncDispose]();
  }
}

/** Round 0 warms up. Peers take turns, so that the machine's moods meet all alike. */
async function takeSamples(
  measure: Measure,
  running: readonly Running[],
  { rounds, seconds, script }: { rounds: number; seconds: number; script: string },
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(running.map(({ peer }) => [peer.name, []]));
  for (let round = 0; round <= rounds; round += 1)
    for (const { peer, child, port } of running) {
      const sample = await takeSample(measure, child, port, script, seconds);
      if (round > 0) samples.get(peer.name)?.push(sample);
    }
  return samples;
}

/** Compiles as a release does: what tsx runs costs more. */
function compileChild(): string {
  const project = join(import.meta.dirname, 'tsconfig.json');
  const compiled = spawnSync('npx', ['tsc', '-p', project], { cwd: ROOT, encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(compiled.stdout);
  return join(ROOT, 'node_modules/.cache/bench-forward/bench/forward/proxy-child.js');
}

async function takeSample(
  { load, unit }: Measure,
  child: Child,
  port: number,
  script: string,
  seconds: number,
): Promise<Sample> {
  const before = cpuMicros(child.pid);
  const result =
    load.path === 'sink'
      ? { ...NO_LATENCY, ...(await upload(port, { ...load, seconds })) }
      : await runWrk(port, script, { ...(load as Omit<WrkLoad, 'seconds'>), seconds });
  const spent = cpuMicros(child.pid) - before;
  const units = unit === 'requests' ? result.requests : result.bytes / MEBIBYTE;
  return { ...result, cpuMicros: spent / units };
}

const NO_LATENCY = { requests: 0, p50Micros: Number.NaN, p99Micros: Number.NaN };

function printTable(measure: Measure, samples: ReadonlyMap<string, readonly Sample[]>): void {
  const baseline = samples.get(BASELINE)?.map(({ cpuMicros: cost }) => cost) ?? [];
  console.log(`\n${measure.title}`);
  console.log('| | CPU µs | ratio | p50 µs | p99 µs | errors |\n|---|---|---|---|---|---|');
  for (const [name, list] of samples) {
    const costs = list.map(({ cpuMicros: cost }) => cost);
    const ratios = costs.map((cost, round) => cost / (baseline[round] ?? Number.NaN));
    const cells = [
      median(costs).toFixed(1),
      median(ratios).toFixed(2),
      median(list.map(({ p50Micros }) => p50Micros)).toFixed(0),
      median(list.map(({ p99Micros }) => p99Micros)).toFixed(0),
      String(list.reduce((sum, { errors }) => sum + errors, 0)),
    ];
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

await main(Number(values.rounds), Number(values.seconds), values.only?.split(','));
