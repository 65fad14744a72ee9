import type { NodeAgent } from '../node-agent.ts';
import { wrongUsage } from './command-args.ts';
import type { NodeCommand } from './node-command.ts';

const USAGE = 'nft list ruleset';

export const nft: NodeCommand = {
  name: 'nft',
  summary: 'list ruleset  the tables of nftables mode',
  run(agent: NodeAgent, args: readonly string[]): string {
    if (args.join(' ') !== 'list ruleset')
      throw wrongUsage(USAGE, `"nft ${args.join(' ')}" is not understood`);
    return agent.proxy.inspector.nftRuleset();
  },
};
