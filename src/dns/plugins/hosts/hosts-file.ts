import { formatIp, parseIp } from '../../../base/ip.ts';
import { foldName, fullyQualified } from '../../message/name.ts';

/** Addresses in canonical text, each with its folded names in the order of the file. */
export type HostsTable = ReadonlyMap<string, readonly string[]>;

/** The hosts(5) format. Lines that make no sense are skipped, as resolvers do. */
export function parseHosts(text: string): HostsTable {
  const table = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [first = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const ip = parseIp(first.split('%')[0] ?? '');
    if (ip === undefined || names.length === 0) continue;
    const key = formatIp(ip);
    const known = table.get(key) ?? [];
    for (const name of names) {
      const folded = foldName(fullyQualified(name));
      if (!known.includes(folded)) known.push(folded);
    }
    table.set(key, known);
  }
  return table;
}
