import { Resolver } from 'node:dns/promises';
import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { Cluster } from '../cluster/cluster.ts';
import {
  addClusterOptions,
  type ClusterFlags,
  clusterConfigFor,
  loggerFor,
} from './cluster-options.ts';
import { readManifestFiles } from './manifest-files.ts';
import { awaitStopSignal } from './signals.ts';
import { renderTable } from './table.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';
import { applyFiles, startCluster } from './up.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const REQUESTS = 300;
const SETTLE_TIMEOUT_MS = 30_000;
const NODE_PORT = 30001;
/** Both examples ask for node port 30001, which only one Service can have. */
const GUESTBOOK_NODE_PORT = 30002;
const NAMES = [
  'tomcat-server.default',
  'frontend-server.default',
  'redis-master.default',
  'kubernetes.default',
] as const;

export function registerDemo(program: Command, terminal: Terminal): void {
  const command = program
    .command('demo')
    .summary('start a cluster, send requests through it, show where they went, stop')
    .description(
      'Starts three nodes, applies examples/tomcat.yaml and examples/guestbook.yaml, sends 300 requests through a NodePort, resolves names through the cluster DNS and shows which pod answered how often.',
    );
  addClusterOptions(command).action(async (flags: ClusterFlags) => {
    process.exitCode = await demo(flags, terminal);
  });
}

async function demo(flags: ClusterFlags, terminal: Terminal): Promise<number> {
  const config = await clusterConfigFor(flags, { nodes: 3 });
  const stop = awaitStopSignal(() => process.exit(EXIT.failure));
  const interruption = new AbortController();
  const interrupted = stop.received.then((signal) => {
    interruption.abort();
    throw new CommandError(`${signal}: stopped before its end`);
  });
  // While the cluster starts nobody waits for it yet.
  interrupted.catch(() => undefined);
  try {
    const cluster = await startCluster(config, loggerFor(flags), terminal);
    try {
      await Promise.race([show(cluster, terminal, interruption.signal), interrupted]);
      return EXIT.ok;
    } finally {
      await cluster[Symbol.asyncDispose]();
    }
  } finally {
    stop.release();
  }
}

async function show(cluster: Cluster, terminal: Terminal, signal: AbortSignal): Promise<void> {
  await applyExamples(cluster, terminal);
  if (!(await cluster.settled(SETTLE_TIMEOUT_MS, signal)))
    throw new CommandError(
      `the pods did not become ready in ${SETTLE_TIMEOUT_MS / 1000} s; lines with ! above say why`,
    );
  terminal.out(await requestsReport(cluster));
  terminal.out(`\n${await namesReport(cluster)}`);
}

async function applyExamples(cluster: Cluster, terminal: Terminal): Promise<void> {
  const files = await readManifestFiles([`${EXAMPLES}tomcat.yaml`, `${EXAMPLES}guestbook.yaml`]);
  const moved = files.map(({ path, text }) => ({
    path,
    text: path.endsWith('guestbook.yaml')
      ? text.replace(`nodePort: ${NODE_PORT}`, `nodePort: ${GUESTBOOK_NODE_PORT}`)
      : text,
  }));
  terminal.err(
    `• both examples ask for node port ${NODE_PORT}: the guestbook gets ${GUESTBOOK_NODE_PORT} here`,
  );
  const refused = (await applyFiles(cluster, moved, terminal)).filter(
    ({ kind }) => kind === 'refused',
  );
  if (refused.length > 0) throw new CommandError('the examples were not accepted whole');
}

/** One new connection a request, so that every one is balanced. */
async function requestsReport(cluster: Cluster): Promise<string> {
  const answers = new Map<string, number>();
  for (let sent = 0; sent < REQUESTS; sent += 1) {
    const pod = await podThatAnswers(`http://127.0.0.1:${NODE_PORT}/`);
    answers.set(pod, (answers.get(pod) ?? 0) + 1);
  }
  const pods = cluster.summary().pods.filter(({ name }) => answers.has(name));
  const rows = pods.map(({ name, node, podIP }) => [name, node, podIP, String(answers.get(name))]);
  return [
    `${REQUESTS} requests to http://127.0.0.1:${NODE_PORT} (NodePort of tomcat-server, ${cluster.config.proxyMode}):`,
    '',
    renderTable(['POD', 'NODE', 'POD IP', 'ANSWERS'], rows),
  ].join('\n');
}

function podThatAnswers(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(String(response.headers['x-pod-name'])));
    }).once('error', reject);
  });
}

async function namesReport(cluster: Cluster): Promise<string> {
  const { address, port } = cluster.config.dnsHostAddress;
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([`${address}:${port}`]);
  const rows = await Promise.all(
    NAMES.map(async (name) => {
      const full = `${name}.svc.${cluster.config.dnsDomain}`;
      return [full, (await resolver.resolve4(full)).join(' ')];
    }),
  );
  return [
    `Names, asked of the cluster's DNS at ${address}:${port} over UDP:`,
    '',
    renderTable(['NAME', 'ADDRESS'], rows),
  ].join('\n');
}
