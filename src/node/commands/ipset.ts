import { renderIpsetList, renderIpsetNames, renderIpsetSave } from '../../proxy/render/ipset.ts';
import type { NodeAgent } from '../node-agent.ts';
import { commandArgs, wrongUsage } from './command-args.ts';
import type { NodeCommand } from './node-command.ts';

const USAGE = 'ipset list [-n] [SET] | ipset save [SET]';

export const ipset: NodeCommand = {
  name: 'ipset',
  summary: 'list [-n] [SET] | save [SET]  the sets of ipvs mode',
  run(agent: NodeAgent, args: readonly string[]): string {
    const { values, positionals } = commandArgs(USAGE, args, {
      name: { type: 'boolean', short: 'n' },
    });
    const [action, wanted, ...rest] = positionals;
    if ((action !== 'list' && action !== 'save') || rest.length > 0)
      throw wrongUsage(USAGE, `"ipset ${args.join(' ')}" is not understood`);
    const all = agent.proxy.inspector.ipsets();
    const sets = wanted === undefined ? all : all.filter(({ name }) => name === wanted);
    if (wanted !== undefined && sets.length === 0)
      throw wrongUsage(USAGE, `The set with the given name does not exist: ${wanted}`);
    if (values.name === true) return renderIpsetNames(sets);
    return action === 'save' ? renderIpsetSave(sets) : renderIpsetList(sets);
  },
};
