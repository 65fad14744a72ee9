import type { NodeAgent } from '../node-agent.ts';
import { bridge } from './bridge.ts';
import { conntrack } from './conntrack.ts';
import { ip } from './ip.ts';
import { dnsExplain } from './dns-explain.ts';
import { dnsFaults } from './dns-faults.ts';
import { dnsServers } from './dns-servers.ts';
import { dnsTrace } from './dns-trace.ts';
import { ipset } from './ipset.ts';
import { ip6tablesSave, iptablesSave } from './iptables-save.ts';
import { ipvsadm } from './ipvsadm.ts';
import { nft } from './nft.ts';
import { type CommandOutput, type NodeCommand, usageError } from './node-command.ts';
import { overlay } from './overlay.ts';

/** Every program a node has, besides `help`. */
const NODE_COMMANDS: readonly NodeCommand[] = [
  iptablesSave,
  ip6tablesSave,
  nft,
  ipvsadm,
  ipset,
  conntrack,
  ip,
  bridge,
  overlay,
  dnsServers,
  dnsExplain,
  dnsFaults,
  dnsTrace,
];

/** Runs a command line on a node. Rejects with code USAGE for one it does not know or that is wrong. */
export async function runNodeCommand(
  agent: NodeAgent,
  commandLine: readonly string[],
  signal: AbortSignal,
): Promise<CommandOutput> {
  const [name = 'help', ...args] = commandLine;
  if (name === 'help') return helpText();
  const command = NODE_COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined)
    throw usageError(`${name}: command not found; help tells what a node has`);
  return command.run(agent, args, signal);
}

function helpText(): string {
  const lines = NODE_COMMANDS.map(({ name, summary }) => `${name} ${summary}`);
  return ['help  this list', ...lines].map((line) => `${line}\n`).join('');
}
