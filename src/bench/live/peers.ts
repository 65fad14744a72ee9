import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Clock, sleep } from '../../base/clock.ts';
import { PodwireError } from '../../base/errors.ts';
import type { SocketAddress } from '../../proxy/flow.ts';
import { listenDatagrams } from '../../proxy/udp/datagram-listener.ts';
import { nodeAddress, podAddress } from '../scenario/network-plan.ts';
import type { Plan } from '../scenario/plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Contender } from './contender.ts';
import { findProgram } from './find-program.ts';
import { installedKernelPeers, kernelContenders } from './kernel-peers.ts';
import { endChild, processCpuMs, type ProxyUnderTest } from './proxy-under-test.ts';

/** Another load balancer, as a configuration and a command. */
interface Peer {
  readonly program: string;
  readonly versionFlag: string;
  /** True when what it says of itself is enough for what is asked of it. */
  readonly suffices?: (description: string) => boolean;
  readonly carriesUdp: boolean;
  /** Name in the table, and what selects the algorithm in the configuration. */
  readonly algorithms: Readonly<Record<string, string>>;
  configuration(algorithm: string, entry: SocketAddress, plan: Plan, folder: string): string;
  arguments(configuration: string, folder: string): string[];
}

/** Beside the program, where a distribution packs it apart: /usr/sbin/nginx has it in /usr/lib. */
const NGINX_STREAM_MODULE = '../lib/nginx/modules/ngx_stream_module.so';
/** A proxied connection takes two descriptors, and the usual limit is some 20,000 or more. */
const PEER_CONNECTIONS = 8000;
const START_ATTEMPTS = 100;
const START_PAUSE_MS = 50;

const haproxy: Peer = {
  program: 'haproxy',
  versionFlag: '-v',
  carriesUdp: false,
  algorithms: {
    'haproxy-roundrobin': 'roundrobin',
    'haproxy-leastconn': 'leastconn',
    'haproxy-random': 'random',
    'haproxy-source': 'source',
  },
  configuration: (algorithm, { address, port }, plan) =>
    [
      'global',
      `  maxconn ${PEER_CONNECTIONS}`,
      '  nbthread 1',
      'defaults',
      '  mode tcp',
      '  timeout connect 5s',
      '  timeout client 60s',
      '  timeout server 60s',
      'frontend bench',
      `  bind ${address}:${port}`,
      '  default_backend pods',
      'backend pods',
      `  balance ${algorithm}`,
      ...plan.backends.map((backend) => {
        const pod = podAddress(backend.index);
        return `  server s${backend.index} ${pod.address}:${pod.port} weight ${backend.weight}`;
      }),
      '',
    ].join('\n'),
  arguments: (configuration) => ['-db', '-f', configuration],
};

const nginx: Peer = {
  program: 'nginx',
  versionFlag: '-V',
  suffices: (description) => /--with-stream(?:\s|$)/.test(description) || nginxModules().length > 0,
  carriesUdp: true,
  algorithms: {
    'nginx-roundrobin': '',
    'nginx-leastconn': 'least_conn;',
    'nginx-hash': 'hash $remote_addr consistent;',
    'nginx-random-two': 'random two least_conn;',
  },
  configuration: (algorithm, { address, port }, plan, folder) =>
    [
      ...nginxModules(),
      'daemon off;',
      'master_process off;',
      `pid ${folder}/nginx.pid;`,
      'error_log stderr error;',
      `events { worker_connections ${2 * PEER_CONNECTIONS}; }`,
      'stream {',
      `  upstream pods { ${algorithm}`,
      ...plan.backends.map((backend) => {
        const pod = podAddress(backend.index);
        return `    server ${pod.address}:${pod.port} weight=${backend.weight} max_fails=0;`;
      }),
      '  }',
      `  server { ${nginxListener(plan.scenario, address, port)} proxy_pass pods; }`,
      '}',
      '',
    ].join('\n'),
  arguments: (configuration, folder) => ['-p', folder, '-e', 'stderr', '-c', configuration],
};

function nginxModules(): string[] {
  const module = join(dirname(findProgram('nginx') ?? ''), NGINX_STREAM_MODULE);
  return existsSync(module) ? [`load_module ${module};`] : [];
}

function nginxListener({ protocol, connection }: Scenario, address: string, port: number): string {
  if (protocol !== 'UDP') return `listen ${address}:${port} backlog=4096; tcp_nodelay on;`;
  // Where each socket asks once, a session is over with its answer; otherwise after a silence.
  const oneAnswer = connection.requests === 1 ? ' proxy_requests 1; proxy_responses 1;' : '';
  return `listen ${address}:${port} udp;${oneAnswer}`;
}

const PEERS = [haproxy, nginx];

/** Versions of the peers that are there, by program, the kernel's own by name of row. */
export async function installedPeers(): Promise<ReadonlyMap<string, string>> {
  const found = new Map(installedKernelPeers());
  for (const peer of PEERS) {
    const { program } = peer;
    const version = await versionOf(peer);
    if (version !== undefined) found.set(program, version);
  }
  return found;
}

/**
 * What can take part in a scenario of those that are there. The kernel's rules can do nearly all; the other
 * proxies only where backends stay as they are, since they would need reloads that are not what is measured,
 * and with one node and no affinity.
 */
export function peerContenders(
  scenario: Scenario,
  installed: ReadonlyMap<string, string>,
  clock: Clock,
): Contender[] {
  const steady =
    scenario.events.length === 0 && scenario.nodes === 1 && scenario.affinitySeconds === undefined;
  const proxies = PEERS.filter(
    ({ program, carriesUdp }) =>
      steady && installed.has(program) && (carriesUdp || scenario.protocol !== 'UDP'),
  ).flatMap((peer) =>
    Object.entries(peer.algorithms).map(
      ([name, algorithm]): Contender => ({
        name,
        family: 'peer',
        start: ({ plan }) => startPeer(peer, algorithm, plan, clock),
      }),
    ),
  );
  return [...proxies, ...kernelContenders(scenario, installed)];
}

/** Undefined also for one that cannot do what is asked of it. */
async function versionOf({ program, versionFlag, suffices }: Peer): Promise<string | undefined> {
  const path = findProgram(program);
  if (path === undefined) return undefined;
  try {
    const { stdout, stderr } = await promisify(execFile)(path, [versionFlag]);
    const description = stdout + stderr;
    if (suffices?.(description) === false) return undefined;
    return /\d+\.\d+\.\d+/.exec(description)?.[0];
  } catch {
    return undefined;
  }
}

async function startPeer(
  peer: Peer,
  algorithm: string,
  plan: Plan,
  clock: Clock,
): Promise<ProxyUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), `podwire-${peer.program}-`));
  const entry = { address: nodeAddress(0), port: await freePort(nodeAddress(0)) };
  const configuration = join(folder, `${peer.program}.cfg`);
  await writeFile(configuration, peer.configuration(algorithm, entry, plan, folder));
  const program = findProgram(peer.program) ?? peer.program;
  const child = spawn(program, peer.arguments(configuration, folder), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Who ends this process in the middle of a run leaves no server and no folder behind.
  const removeNow = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', removeNow);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const proxy: ProxyUnderTest = {
    entries: [entry],
    cpuMs: () => processCpuMs(child.pid),
    slip: async () => undefined,
    update: async () => {},
    async [Symbol.asyncDispose]() {
      process.off('exit', removeNow);
      await endChild(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
  for (let attempt = 0; attempt < START_ATTEMPTS && child.exitCode === null; attempt += 1) {
    if (await isReady(plan.scenario, entry)) return proxy;
    await sleep(clock, START_PAUSE_MS);
  }
  await proxy[Symbol.asyncDispose]();
  throw new PodwireError('ERR_BENCH_LIVE', `${peer.program} did not start: ${complaint.trim()}`);
}

async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

/** A UDP port cannot be asked whether somebody listens, but it can be found taken. */
async function isReady({ protocol }: Scenario, entry: SocketAddress): Promise<boolean> {
  if (protocol !== 'UDP') return accepts(entry);
  try {
    const probe = await listenDatagrams(entry, () => {});
    await probe.close();
    return false;
  } catch {
    return true;
  }
}

async function accepts({ address, port }: SocketAddress): Promise<boolean> {
  const socket = connect(port, address);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
