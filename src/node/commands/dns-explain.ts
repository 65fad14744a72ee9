import { commandArgs, wrongUsage } from './command-args.ts';
import { asUsage } from './dns-refusal.ts';
import type { NodeCommand } from './node-command.ts';

const ARGUMENTS = 'NAME [TYPE] [--from NAMESPACE/POD] [--server NAME]';
const USAGE = `dns-explain ${ARGUMENTS}`;
const OPTIONS = { from: { type: 'string' }, server: { type: 'string' } } as const;

/** Walks a name with one of the node's DNS servers and tells how each answer came about. */
export const dnsExplain: NodeCommand = {
  name: 'dns-explain',
  summary: `${ARGUMENTS}  how a name is resolved, and why not`,
  run({ dns }, args) {
    const { values, positionals } = commandArgs(USAGE, args, OPTIONS);
    const [name, type, ...extra] = positionals;
    if (name === undefined || extra.length > 0)
      throw wrongUsage(USAGE, 'expected one name and at most one type');
    const { from, server } = values;
    return asUsage(async () => {
      const [running] = dns.servers(server);
      if (running === undefined) return '';
      const question = {
        name,
        ...(type === undefined ? {} : { type }),
        ...(from === undefined ? {} : { from }),
      };
      const explanation = await dns.explain(running, question);
      return `Asked ${running.name} at ${running.address}\n${explanation}\n`;
    });
  },
};
