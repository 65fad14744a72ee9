import { parseCidr } from '../../base/ip.ts';
import { formatFault, parseFault } from '../../dns/faults/fault-text.ts';
import type { NodeDns } from '../node-dns.ts';
import { commandArgs, wrongUsage } from './command-args.ts';
import { asUsage } from './dns-refusal.ts';
import type { NodeCommand } from './node-command.ts';

const ARGUMENTS = 'set FAULT [CONDITION…] | list | clear [--server NAME]';
const USAGE = `dns-faults ${ARGUMENTS}`;
const OPTIONS = { server: { type: 'string' } } as const;

/** Sets, lists and clears the faults of the node's DNS servers, those that start later included. */
export const dnsFaults: NodeCommand = {
  name: 'dns-faults',
  summary: `${ARGUMENTS}  drop, delay=2s, rcode=SERVFAIL … name= type= client= fraction= count=`,
  run({ dns }, args) {
    const { values, positionals } = commandArgs(USAGE, args, OPTIONS);
    const [verb, ...words] = positionals;
    if (verb === 'set') return asUsage(() => setFault(dns, words, values.server));
    if (verb === 'list') return asUsage(() => listFaults(dns, values.server));
    if (verb === 'clear') return asUsage(() => clearFaults(dns, values.server));
    throw wrongUsage(USAGE, verb === undefined ? 'nothing to do' : `'${verb}' is not known`);
  },
};

function setFault(dns: NodeDns, words: readonly string[], name: string | undefined): string {
  const fault = parseFault(words.map((word) => withPodAddress(dns, word)));
  return dns
    .setFault(fault, name)
    .map(({ server, id }) => `${server} fault ${id}: ${formatFault(fault)}\n`)
    .join('');
}

function listFaults(dns: NodeDns, name: string | undefined): string {
  return (name === undefined ? dns.running : dns.servers(name))
    .flatMap((running) =>
      running.server.faults.list().map(({ id, fault, left }) => {
        const rest = Number.isFinite(left) ? ` (${left} left)` : '';
        return `${running.name} fault ${id}: ${formatFault(fault)}${rest}\n`;
      }),
    )
    .join('');
}

function clearFaults(dns: NodeDns, name: string | undefined): string {
  return dns
    .clearFaults(name)
    .map(({ server, count }) => `${server}: ${count} fault(s) cleared\n`)
    .join('');
}

/** `client=NAMESPACE/POD` stands for the pod's address. */
function withPodAddress(dns: NodeDns, word: string): string {
  const [, client = ''] = /^client=(.*\/.*)$/.exec(word) ?? [];
  if (client === '' || parseCidr(client, { allowHostBits: true }) !== undefined) return word;
  return `client=${dns.podAddress(client)}`;
}
