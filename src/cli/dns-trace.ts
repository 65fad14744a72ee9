import type { Command } from 'commander';
import { execOnNode } from '../cluster/node-exec.ts';
import { nodesWithDns } from '../cluster/nodes-with-dns.ts';
import { addKubeconfigOption, ofCluster } from './node.ts';
import { awaitStopSignal } from './signals.ts';
import { CommandError, type Terminal } from './terminal.ts';

interface TraceFlags {
  readonly name?: string;
  readonly from?: string;
  readonly server?: string;
  readonly kubeconfig: string;
}

/** `podwire dns trace`: every query of the running cluster as it is answered. */
export function registerDnsTrace(dns: Command, terminal: Terminal): void {
  const command = dns
    .command('trace')
    .summary("follow the queries of the running cluster's DNS: who asked, and why that answer")
    .option('--name <domain>', 'only this name and what is below it')
    .option('--from <pod>', 'only queries of this pod (NAMESPACE/NAME)')
    .option('--server <name>', 'only this DNS pod, or "host"');
  addKubeconfigOption(command).action((flags: TraceFlags) =>
    ofCluster(() => follow(flags, terminal)),
  );
}

/** Until Ctrl-C. */
async function follow(flags: TraceFlags, terminal: Terminal): Promise<void> {
  const { kubeconfig, server } = flags;
  const nodes = (await nodesWithDns(kubeconfig)).filter(
    ({ servers }) => server === undefined || servers.includes(server),
  );
  if (nodes.length === 0)
    throw new CommandError(`no DNS server ${server ?? ''} runs in the cluster`);
  const stop = new AbortController();
  const signals = awaitStopSignal(() => undefined);
  void signals.received.then(() => stop.abort());
  terminal.closed.addEventListener('abort', () => stop.abort(), { once: true });
  const options = (['name', 'from', 'server'] as const).flatMap((option) => {
    const value = flags[option];
    return value === undefined ? [] : [`--${option}`, value];
  });
  terminal.err(`• following ${nodes.flatMap(({ servers }) => servers).join(', ')}; Ctrl-C ends it`);
  try {
    await Promise.all(
      nodes.map(async ({ node }) => {
        const command = ['dns-trace', ...options];
        for await (const chunk of execOnNode(kubeconfig, node, command, stop.signal))
          await terminal.write(chunk);
      }),
    );
  } finally {
    signals.release();
  }
}
