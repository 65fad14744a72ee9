// npm run bench:dns [-- SECONDS [ROUNDS]]: podwire's DNS beside Knot, BIND and dnsmasq, started together and asked
// in turn by dnsperf. The figure to compare is queries per second of the server's own processor time.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../src/base/random.ts';
import { answering } from './answering.ts';
import { cpuSeconds, type DnsPeer, isInstalled, pinned, residentMib, startPeers } from './peers.ts';
import { printScale } from './scale.ts';

const FIRST_PORT = 15_300;
const SERVICES = 1000;
const QUERIES = 20_000;

const print = (line: string): void => console.log(line);
const [seconds = '4', rounds = '3'] = process.argv.slice(2);

interface Load {
  readonly name: string;
  readonly mode: 'udp' | 'tcp';
  readonly queries: string;
}

if (isInstalled('dnsperf')) await comparePeers();
else print('dnsperf is not installed: no comparison');
await printScale(print);

async function comparePeers(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-dns-'));
  const names = new Map(
    Array.from({ length: SERVICES }, (_, index) => [
      `svc-${index}.default.svc.cluster.local`,
      `10.96.${Math.floor(index / 250)}.${(index % 250) + 1}`,
    ]),
  );
  const loads = writeQueries(folder, [...names.keys()]);
  const { peers, missing } = startPeers(folder, FIRST_PORT, names);
  if (missing.length > 0) print(`not installed: ${missing.join(', ')}`);
  try {
    for (const { port } of peers) await answering(port, [...names.keys()][0] ?? '');
    for (const load of loads) compare(peers, load);
    for (const { name, processes } of peers)
      print(`memory ${name.padEnd(12)} ${residentMib(processes[0]?.pid ?? 0).toFixed(0)} MiB`);
  } finally {
    for (const { processes } of peers) for (const child of processes) child.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

function compare(peers: readonly DnsPeer[], load: Load): void {
  const samples = new Map<string, { perCpuSecond: number; perSecond: number; lost: number }[]>();
  for (let round = 0; round < Number(rounds); round += 1)
    for (const peer of peers) {
      const list = samples.get(peer.name) ?? [];
      list.push(ask(peer, load));
      samples.set(peer.name, list);
    }
  const medians = new Map(
    [...samples].map(([name, list]) => [name, median(list.map((one) => one.perCpuSecond))]),
  );
  print(`\n${load.name}: queries per server CPU-second (median of ${rounds})`);
  for (const [name, value] of medians) {
    const list = samples.get(name) ?? [];
    const perSecond = median(list.map((one) => one.perSecond));
    const lost = list.reduce((sum, one) => sum + one.lost, 0);
    const ratio = (peer: string): string => {
      const other = medians.get(peer);
      return other === undefined ? '' : `  ${(value / other).toFixed(2)} x ${peer}`;
    };
    print(
      `  ${name.padEnd(12)} ${value.toFixed(0).padStart(8)}   ${perSecond.toFixed(0).padStart(8)} q/s  lost ${lost}${ratio('knot')}${ratio('bind9')}`,
    );
  }
}

function ask(peer: DnsPeer, load: Load): { perCpuSecond: number; perSecond: number; lost: number } {
  const pid = peer.processes[0]?.pid ?? 0;
  const before = cpuSeconds(pid);
  const target = ['-s', '127.0.0.1', '-p', String(peer.port), '-m', load.mode];
  const work = ['-d', load.queries, '-l', seconds, '-c', '20', '-T', '1', '-q', '100'];
  // Servers with one process have processor 0, the client has the other.
  const [program, ...args] = pinned(1, ['dnsperf', ...target, ...work]);
  const output = execFileSync(program ?? '', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const used = cpuSeconds(pid) - before;
  const completed = Number(/Queries completed:\s+(\d+)/.exec(output)?.[1] ?? 0);
  const lost = Number(/Queries lost:\s+(\d+)/.exec(output)?.[1] ?? 0);
  return {
    perCpuSecond: completed / Math.max(used, 0.01),
    perSecond: completed / Number(seconds),
    lost,
  };
}

function writeQueries(folder: string, names: readonly string[]): Load[] {
  const random = seededRandom('bench dns');
  const write = (file: string, name: () => string): string => {
    const lines = Array.from({ length: QUERIES }, () => `${name()} A\n`);
    writeFileSync(join(folder, file), lines.join(''));
    return join(folder, file);
  };
  const hits = write('hits', () => names[random.below(names.length)] ?? '');
  const misses = write('misses', () => `no-${random.below(5000)}.default.svc.cluster.local`);
  return [
    { name: 'UDP, names that exist', mode: 'udp', queries: hits },
    { name: 'UDP, NXDOMAIN', mode: 'udp', queries: misses },
    { name: 'TCP, names that exist', mode: 'tcp', queries: hits },
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
