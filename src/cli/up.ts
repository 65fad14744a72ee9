import { rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { ApplyResult } from '../cluster/apply-manifests.ts';
import { Cluster, type ClusterOptions } from '../cluster/cluster.ts';
import type { ClusterConfig } from '../cluster/cluster-config.ts';
import {
  addClusterOptions,
  type ClusterFlags,
  clusterConfigFor,
  loggerFor,
  wholeNumber,
} from './cluster-options.ts';
import { addApiOptions, type ApiFlags, apiAccessFor, storeConfigFor } from './api-options.ts';
import { describeCluster } from './describe-cluster.ts';
import { addManifestsOption, type ManifestFile, readManifestFiles } from './manifest-files.ts';
import { awaitStopSignal } from './signals.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';

interface UpFlags extends ClusterFlags, ApiFlags {
  readonly filename?: readonly string[];
  readonly readyFile?: string;
  readonly wait: number;
}

export function registerUp(program: Command, terminal: Terminal): void {
  const command = program
    .command('up')
    .summary('start a cluster and keep it running until Ctrl-C')
    .description(
      'Starts nodes, applies manifests and runs until Ctrl-C or SIGTERM. Every address it prints can be dialled from this machine.',
    )
    .option('--ready-file <path>', 'write a JSON summary here once the cluster is ready')
    .option('--wait <seconds>', 'how long to wait for pods to become ready', wholeNumber, 30);
  addApiOptions(addClusterOptions(addManifestsOption(command))).addHelpText(
    'after',
    `
Examples:
  podwire up --nodes 3 -f examples/tomcat.yaml
  podwire up -f examples/guestbook.yaml --proxy-mode iptables --seed 7
  podwire up -f manifests/ --ready-file /tmp/podwire.json --log-format json`,
  );
  command.action(async (flags: UpFlags) => {
    process.exitCode = await up(flags, terminal);
  });
}

async function up(flags: UpFlags, terminal: Terminal): Promise<number> {
  const config = await clusterConfigFor(flags);
  const files = await readManifestFiles(flags.filename);
  const log = loggerFor(flags);
  const abort = new AbortController();
  let cluster: Cluster | undefined;
  const stop = awaitStopSignal(() => {
    // What cannot be started cannot be closed: an etcd that takes connections and says nothing.
    if (cluster === undefined) process.exit(EXIT.failure);
    else void cluster[Symbol.asyncDispose]();
  });
  const heed = async (): Promise<void> => {
    const signal = await stop.received;
    abort.abort();
    if (cluster === undefined)
      terminal.err(`${signal}: stopping as soon as it has started; once more to end at once`);
  };
  void heed();
  try {
    cluster = await startCluster(config, log, terminal, {
      store: storeConfigFor(flags),
      ...(flags.dataDir === undefined ? {} : { dataDirectory: resolve(flags.dataDir) }),
      api: apiAccessFor(flags),
    });
    await applyFiles(cluster, files, terminal);
    await settle(cluster, flags.wait * 1000, abort.signal, terminal);
    if (!abort.signal.aborted) await announce(cluster, flags.readyFile, terminal);
    const signal = await stop.received;
    terminal.err(`\n${signal}: stopping`);
    await cluster.close();
    return EXIT.ok;
  } finally {
    await cluster?.[Symbol.asyncDispose]();
    stop.release();
  }
}

/** Shared by up and demo: starts a cluster, telling what happens. */
export async function startCluster(
  config: ClusterConfig,
  log: Logger,
  terminal: Terminal,
  extra: Pick<ClusterOptions, 'store' | 'api' | 'dataDirectory'> = {},
): Promise<Cluster> {
  const began = systemClock.now();
  const cluster = await Cluster.start(config, {
    clock: systemClock,
    log,
    env: process.env,
    ...extra,
    onProgress: (step) => terminal.err(`• ${step}`),
    onProblem: (problem) => terminal.err(`! ${problem}`),
  });
  const tookMs = Math.round(systemClock.now() - began);
  terminal.err(
    `• ${config.nodes} ${config.nodes === 1 ? 'node' : 'nodes'} in ${tookMs} ms (seed ${config.seed}, proxy mode ${config.proxyMode})`,
  );
  return cluster;
}

/** Applies every object of every file; what is refused is told and the rest goes on. */
export async function applyFiles(
  cluster: Cluster,
  files: readonly ManifestFile[],
  terminal: Terminal,
): Promise<readonly ApplyResult[]> {
  const results: ApplyResult[] = [];
  for (const { path, text } of files) {
    for (const result of await cluster.apply(text, path)) {
      results.push(result);
      if (result.kind === 'refused') terminal.err(`error: ${result.where}: ${result.message}`);
      else terminal.err(`${result.object} ${result.kind}`);
    }
  }
  return results;
}

async function settle(
  cluster: Cluster,
  timeoutMs: number,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  if (await cluster.settled(timeoutMs, signal)) return;
  if (!signal.aborted)
    terminal.err(`! not every pod is ready after ${timeoutMs / 1000} s; going on`);
}

async function announce(
  cluster: Cluster,
  readyFile: string | undefined,
  terminal: Terminal,
): Promise<void> {
  const summary = cluster.summary();
  terminal.out(`\n${describeCluster(summary, cluster.config)}\n`);
  terminal.out('Ctrl-C stops the cluster.');
  if (readyFile === undefined) return;
  const { dnsHostAddress, dnsDomain, clusterDNS, seed } = cluster.config;
  const content = { ...summary, dns: { ...dnsHostAddress, clusterDNS, domain: dnsDomain }, seed };
  // Whoever waits for the file to appear must find it whole.
  const unfinished = `${readyFile}.${process.pid}`;
  try {
    await writeFile(unfinished, `${JSON.stringify(content, null, 2)}\n`);
    await rename(unfinished, readyFile);
  } catch (error) {
    throw new CommandError(`--ready-file ${readyFile} cannot be written: ${errorMessage(error)}`);
  }
}
