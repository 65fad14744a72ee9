import type { Command } from 'commander';
import { execOnNode } from '../cluster/node-exec.ts';
import { nodesWithDns } from '../cluster/nodes-with-dns.ts';
import { addDnsOptions, type DnsFlags, startDns } from './dns-options.ts';
import { addKubeconfigOption, ofCluster } from './node.ts';
import { CommandError, type Terminal } from './terminal.ts';

interface ExplainFlags extends DnsFlags {
  readonly from?: string;
  readonly server?: string;
  readonly kubeconfig: string;
}

/** `podwire dns explain`: of a running cluster, or of manifests. */
export function registerDnsExplain(dns: Command, terminal: Terminal): void {
  const command = dns
    .command('explain <name> [type]')
    .summary('tell how a name is resolved, and why not')
    .description(
      "Walks the search path as a resolver does and tells of each query what it got, from which\nplugin, because of which object. Asks the running cluster's DNS, or with -f or --corefile what\n`podwire dns` would answer from them.",
    )
    .option('--from <pod>', 'walk the search path of this pod (NAMESPACE/NAME)')
    .option('--server <name>', 'ask this DNS pod, or "host" for the DNS of this machine');
  addKubeconfigOption(addDnsOptions(command)).action(
    (name: string, type: string | undefined, flags: ExplainFlags) => {
      const isOffline = flags.filename !== undefined || flags.corefile !== undefined;
      return isOffline
        ? explainOffline(name, type, flags, terminal)
        : ofCluster(() => explainInCluster(name, type, flags, terminal));
    },
  );
}

async function explainOffline(
  name: string,
  type: string | undefined,
  flags: ExplainFlags,
  terminal: Terminal,
): Promise<void> {
  const anywhere = [{ address: '127.0.0.1', port: 0 }];
  const dns = await startDns({ ...flags, listen: anywhere, logLevel: 'error' }, terminal);
  try {
    const { from } = flags;
    const question = {
      name,
      ...(type === undefined ? {} : { type }),
      ...(from === undefined ? {} : { from }),
    };
    terminal.out(await dns.explain(question));
  } finally {
    await dns[Symbol.asyncDispose]();
  }
}

async function explainInCluster(
  name: string,
  type: string | undefined,
  { kubeconfig, from, server }: ExplainFlags,
  terminal: Terminal,
): Promise<void> {
  const nodes = await nodesWithDns(kubeconfig);
  const all = nodes.flatMap(({ node, servers }) => servers.map((known) => ({ node, name: known })));
  const asked =
    server === undefined
      ? (all.find((candidate) => candidate.name !== 'host') ?? all[0])
      : all.find((candidate) => candidate.name === server);
  if (asked === undefined) {
    const known = all.map((candidate) => candidate.name).join(', ') || 'none';
    throw new CommandError(`no DNS server ${server ?? ''} runs in the cluster; there is ${known}`);
  }
  const words = [name, ...(type === undefined ? [] : [type]), '--server', asked.name];
  const whose = from === undefined ? [] : ['--from', from];
  const command = ['dns-explain', ...words, ...whose];
  for await (const chunk of execOnNode(kubeconfig, asked.node, command))
    await terminal.write(chunk);
}
