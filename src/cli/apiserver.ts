import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { startStandaloneControlPlane } from '../cluster/standalone-control-plane.ts';
import { addApiOptions, type ApiFlags, apiAccessFor, storeConfigFor } from './api-options.ts';
import {
  addClusterOptions,
  type ClusterFlags,
  clusterConfigFor,
  loggerFor,
} from './cluster-options.ts';
import { awaitStopSignal } from './signals.ts';
import { EXIT, type Terminal } from './terminal.ts';

interface ApiServerFlags extends ClusterFlags, ApiFlags {}

export function registerApiServer(program: Command, terminal: Terminal): void {
  const command = program
    .command('apiserver')
    .summary('run a control plane without nodes')
    .description(
      'Serves the Kubernetes API and runs the controllers, without nodes, until Ctrl-C.',
    );
  addApiOptions(addClusterOptions(command)).addHelpText(
    'after',
    `
Examples:
  podwire apiserver --data-dir /tmp/cluster
  podwire apiserver --etcd http://127.0.0.1:2379 --insecure-port 8080`,
  );
  command.action(async (flags: ApiServerFlags) => {
    process.exitCode = await serve(flags, terminal);
  });
}

async function serve(flags: ApiServerFlags, terminal: Terminal): Promise<number> {
  const config = await clusterConfigFor(flags);
  const access = apiAccessFor(flags);
  const running = await startStandaloneControlPlane(config, {
    clock: systemClock,
    log: loggerFor(flags),
    store: storeConfigFor(flags),
    api: access,
  });
  const stop = awaitStopSignal(() => void running[Symbol.asyncDispose]());
  try {
    terminal.out(`Kubernetes API at ${running.url}`);
    if (running.insecureUrl !== undefined)
      terminal.out(`without a token at ${running.insecureUrl}`);
    terminal.out(`export KUBECONFIG=${access.kubeconfigPath}`);
    const signal = await stop.received;
    terminal.err(`\n${signal}: stopping`);
    await running.close();
    return EXIT.ok;
  } finally {
    await running[Symbol.asyncDispose]();
    stop.release();
  }
}
