import { type ConntrackEntry, renderConntrack } from '../../proxy/render/conntrack.ts';
import type { NodeAgent } from '../node-agent.ts';
import { commandArgs, wrongUsage } from './command-args.ts';
import type { NodeCommand } from './node-command.ts';

const USAGE =
  'conntrack -L|-C [-p tcp|udp] [-s ADDRESS] [-d ADDRESS] [--sport PORT] [--dport PORT] [-r ADDRESS] [-q ADDRESS]';

/** Filters of the original direction, and -r and -q of the reply's. */
type Filter = (entry: ConntrackEntry, value: string) => boolean;

const FILTERS: Readonly<Record<string, Filter>> = {
  proto: ({ protocol }, value) => protocol.toLowerCase() === value.toLowerCase(),
  src: ({ original }, value) => original.source.address === value,
  dst: ({ original }, value) => original.destination.address === value,
  sport: ({ original }, value) => original.source.port === Number(value),
  dport: ({ original }, value) => original.destination.port === Number(value),
  'reply-src': ({ reply }, value) => reply.source.address === value,
  'reply-dst': ({ reply }, value) => reply.destination.address === value,
};

export const conntrack: NodeCommand = {
  name: 'conntrack',
  summary:
    '-L|-C [-p tcp|udp] [-s|-d|-r|-q ADDRESS]  the flows that kube-proxy forwards, or how many',
  run(agent: NodeAgent, args: readonly string[]): string {
    const { values, positionals } = commandArgs(USAGE, args, {
      dump: { type: 'boolean', short: 'L' },
      count: { type: 'boolean', short: 'C' },
      proto: { type: 'string', short: 'p' },
      src: { type: 'string', short: 's' },
      dst: { type: 'string', short: 'd' },
      sport: { type: 'string' },
      dport: { type: 'string' },
      'reply-src': { type: 'string', short: 'r' },
      'reply-dst': { type: 'string', short: 'q' },
    });
    const [table, ...rest] = positionals;
    if (rest.length > 0 || (table !== undefined && table !== 'conntrack'))
      throw wrongUsage(USAGE, `"${positionals.join(' ')}" is no table of a node`);
    if (values.dump !== true && values.count !== true) throw wrongUsage(USAGE, 'nothing to do');
    const entries = agent.proxy.inspector.conntrack().filter((entry) => matchesAll(entry, values));
    return values.count === true ? `${entries.length}\n` : renderConntrack(entries);
  },
};

function matchesAll(
  entry: ConntrackEntry,
  values: Readonly<Record<string, string | boolean | undefined>>,
): boolean {
  return Object.entries(FILTERS).every(([name, matches]) => {
    const value = values[name];
    return typeof value !== 'string' || matches(entry, value);
  });
}
