import type { Command } from 'commander';
import { errorCode } from '../base/errors.ts';
import { execOnNode, nodesOf } from '../cluster/node-exec.ts';
import { nodesWithDns } from '../cluster/nodes-with-dns.ts';
import { addKubeconfigOption, ofCluster } from './node.ts';
import { CommandError, type Terminal } from './terminal.ts';

interface FaultFlags {
  readonly server?: string;
  readonly kubeconfig: string;
}

/** `podwire dns faults`: what goes wrong with the running cluster's DNS. */
export function registerDnsFaults(dns: Command, terminal: Terminal): void {
  const faults = dns
    .command('faults')
    .summary("make the running cluster's DNS fail, in part and for a while");
  const add = (verb: string, summary: string, words?: string): Command => {
    const command = faults.command(words === undefined ? verb : `${verb} ${words}`);
    command.summary(summary).option('--server <name>', 'only this DNS pod, or "host"');
    return addKubeconfigOption(command);
  };
  add('set', 'add a fault', '<fault> [conditions...]')
    .addHelpText(
      'after',
      `
Faults:
  drop                 no reply
  delay=500ms          the reply comes late
  rcode=SERVFAIL       another response code
  empty                NOERROR without records
  truncate             TC=1 and no records
  unsynced             SERVFAIL where it would be NXDOMAIN, as before the API has been read
  stale                the first answer to a question is given for ever
  upstream=SERVFAIL    what forward gets from upstreams; upstream=timeout for silence
DNS pods that start later have the faults too, but for those with count=.

Conditions, all of which must hold:
  name=DOMAIN type=AAAA client=ADDRESS|CIDR|NAMESPACE/POD fraction=0.5 count=10

Examples:
  podwire dns faults set drop type=AAAA
  podwire dns faults set delay=5s name=web.default.svc.cluster.local fraction=0.1`,
    )
    .action((fault: string, conditions: readonly string[], flags: FaultFlags) =>
      onEveryNode(['set', fault, ...conditions], flags, terminal),
    );
  add('list', 'the faults in force').action((flags: FaultFlags) =>
    onEveryNode(['list'], flags, terminal),
  );
  add('clear', 'take all faults away').action((flags: FaultFlags) =>
    onEveryNode(['clear'], flags, terminal),
  );
}

/**
 * Runs `dns-faults` on the node that has the DNS server meant; without a name on all nodes, as a DNS pod may start
 * on any of them later.
 */
function onEveryNode(
  words: readonly string[],
  flags: FaultFlags,
  terminal: Terminal,
): Promise<void> {
  const { kubeconfig, server } = flags;
  return ofCluster(async () => {
    const nodes =
      server === undefined ? await nodesOf(kubeconfig) : await nodesOfServer(kubeconfig, server);
    const which = server === undefined ? [] : ['--server', server];
    for (const node of nodes)
      await onNode(node, ['dns-faults', ...words, ...which], kubeconfig, terminal);
  });
}

/** A node that is off, or is no podwire's, has no DNS server to befall. */
async function onNode(
  node: string,
  command: readonly string[],
  kubeconfig: string,
  terminal: Terminal,
): Promise<void> {
  try {
    for await (const chunk of execOnNode(kubeconfig, node, command)) await terminal.write(chunk);
  } catch (error) {
    if (errorCode(error) !== 'NODE_EXEC') throw error;
  }
}

async function nodesOfServer(kubeconfig: string, server: string): Promise<string[]> {
  const nodes = (await nodesWithDns(kubeconfig)).filter(({ servers }) => servers.includes(server));
  if (nodes.length === 0) throw new CommandError(`no DNS server ${server} runs in the cluster`);
  return nodes.map(({ node }) => node);
}
