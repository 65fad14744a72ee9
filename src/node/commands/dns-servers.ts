import type { NodeCommand } from './node-command.ts';
import { usageError } from './node-command.ts';

/** Lists the node's DNS servers: name and address, a line each. */
export const dnsServers: NodeCommand = {
  name: 'dns-servers',
  summary: ' the DNS servers of this node, and where they answer',
  run({ dns }, args) {
    if (args.length > 0) throw usageError('dns-servers takes no arguments');
    return dns.running.map(({ name, address }) => `${name} ${address}\n`).join('');
  },
};
