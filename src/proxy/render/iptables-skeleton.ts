import {
  emptyTables,
  type IptablesTables,
  writeForwarding,
  writeForwardJump,
  writeMasquerading,
  writeServiceJumps,
} from './iptables-tables.ts';
import { comment } from './rule-parts.ts';
import type { RuleTable } from './rule-table.ts';

const NEW = '-m conntrack --ctstate NEW';

const SERVICES = comment('kubernetes service portals');
const EXTERNAL = comment('kubernetes externally-visible service portals');
const FIREWALL = comment('kubernetes load balancer firewall');

/** What iptables mode sets up before any Service: jumps, marking, masquerading, forwarding, canaries. */
export function iptablesSkeleton(options: {
  readonly ipv6: boolean;
  readonly localhostNodePorts: boolean;
}): IptablesTables {
  const tables = emptyTables();
  for (const table of [tables.mangle, tables.nat, tables.filter]) table.chain('KUBE-PROXY-CANARY');
  natSkeleton(tables.nat);
  filterSkeleton(tables.filter, options);
  return tables;
}

function natSkeleton(nat: RuleTable): void {
  for (const chain of ['KUBE-SERVICES', 'KUBE-NODEPORTS']) nat.chain(chain);
  writeServiceJumps(nat);
  writeMasquerading(nat);
}

function filterSkeleton(
  filter: RuleTable,
  options: { readonly ipv6: boolean; readonly localhostNodePorts: boolean },
): void {
  for (const chain of ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS'])
    filter.chain(chain);
  filter.chain('KUBE-PROXY-FIREWALL');
  filter.append('INPUT', NEW, FIREWALL, '-j KUBE-PROXY-FIREWALL');
  filter.append('INPUT', comment('kubernetes health check service ports'), '-j KUBE-NODEPORTS');
  filter.append('INPUT', NEW, EXTERNAL, '-j KUBE-EXTERNAL-SERVICES');
  filter.append('INPUT', '-j KUBE-FIREWALL');
  filter.append('FORWARD', NEW, FIREWALL, '-j KUBE-PROXY-FIREWALL');
  writeForwardJump(filter);
  filter.append('FORWARD', NEW, SERVICES, '-j KUBE-SERVICES');
  filter.append('FORWARD', NEW, EXTERNAL, '-j KUBE-EXTERNAL-SERVICES');
  filter.append('OUTPUT', NEW, FIREWALL, '-j KUBE-PROXY-FIREWALL');
  filter.append('OUTPUT', NEW, SERVICES, '-j KUBE-SERVICES');
  filter.append('OUTPUT', '-j KUBE-FIREWALL');
  filter.chain('KUBE-FIREWALL');
  // route_localnet opens 127/8 to the network; this closes it again (CVE-2020-8558).
  if (!options.ipv6 && options.localhostNodePorts)
    filter.append(
      'KUBE-FIREWALL',
      '! -s 127.0.0.0/8 -d 127.0.0.0/8',
      comment('block incoming localnet connections'),
      '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    );
  filter.append('KUBE-FORWARD', '-m conntrack --ctstate INVALID -j DROP');
  writeForwarding(filter);
}
