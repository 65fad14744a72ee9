import type { IpFamilyName } from '../../api/types/core.ts';
import { type IptablesTableName, renderIptablesSave } from '../../proxy/render/iptables-save.ts';
import type { NodeAgent } from '../node-agent.ts';
import { commandArgs, wrongUsage } from './command-args.ts';
import type { NodeCommand } from './node-command.ts';

const TABLES: readonly IptablesTableName[] = ['mangle', 'filter', 'nat'];

export const iptablesSave: NodeCommand = command('iptables-save', 'IPv4');
export const ip6tablesSave: NodeCommand = command('ip6tables-save', 'IPv6');

function command(name: string, family: IpFamilyName): NodeCommand {
  const usage = `${name} [-t ${TABLES.join('|')}]`;
  return {
    name,
    summary: `[-t TABLE]  kube-proxy's rules as ${name} prints them`,
    run(agent: NodeAgent, args: readonly string[]): string {
      const { values, positionals } = commandArgs(usage, args, {
        table: { type: 'string', short: 't' },
      });
      if (positionals.length > 0) throw wrongUsage(usage, `"${positionals[0]}" is too much`);
      const wanted = values.table === undefined ? TABLES : TABLES.filter((t) => t === values.table);
      if (wanted.length === 0) throw wrongUsage(usage, `there is no table "${values.table}"`);
      const { inspector } = agent.proxy;
      const tables = inspector.iptables(family);
      return tables === undefined ? '' : renderIptablesSave(tables, inspector.date, wanted);
    },
  };
}
