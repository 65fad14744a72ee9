import { comment } from './rule-parts.ts';
import { RuleTable } from './rule-table.ts';

export interface IptablesTables {
  readonly mangle: RuleTable;
  readonly nat: RuleTable;
  readonly filter: RuleTable;
}

/** `1 << masqueradeBit`, with kube-proxy's bit 14. */
const MARK = '0x4000/0x4000';
const NEW = '-m conntrack --ctstate NEW';

const SERVICES = comment('kubernetes service portals');
const EXTERNAL = comment('kubernetes externally-visible service portals');
const FIREWALL = comment('kubernetes load balancer firewall');

/** What iptables mode sets up before any Service: jumps, marking, masquerading, forwarding, canaries. */
export function iptablesSkeleton(options: {
  readonly ipv6: boolean;
  readonly localhostNodePorts: boolean;
}): IptablesTables {
  const tables: IptablesTables = {
    mangle: new RuleTable('mangle', ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']),
    nat: new RuleTable('nat', ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING']),
    filter: new RuleTable('filter', ['INPUT', 'FORWARD', 'OUTPUT']),
  };
  for (const table of Object.values(tables)) (table as RuleTable).chain('KUBE-PROXY-CANARY');
  natSkeleton(tables.nat);
  filterSkeleton(tables.filter, options);
  return tables;
}

function natSkeleton(nat: RuleTable): void {
  for (const chain of ['KUBE-SERVICES', 'KUBE-NODEPORTS']) nat.chain(chain);
  nat.append('PREROUTING', SERVICES, '-j KUBE-SERVICES');
  nat.append('OUTPUT', SERVICES, '-j KUBE-SERVICES');
  nat.append('POSTROUTING', comment('kubernetes postrouting rules'), '-j KUBE-POSTROUTING');
  nat.append('KUBE-MARK-MASQ', `-j MARK --set-xmark ${MARK}`);
  nat.append('KUBE-POSTROUTING', `-m mark ! --mark ${MARK} -j RETURN`);
  // Cleared, so that packets which pass again (through an overlay) are not masqueraded twice.
  nat.append('KUBE-POSTROUTING', '-j MARK --set-xmark 0x4000/0x0');
  nat.append(
    'KUBE-POSTROUTING',
    comment('kubernetes service traffic requiring SNAT'),
    '-j MASQUERADE --random-fully',
  );
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
  filter.append('FORWARD', comment('kubernetes forwarding rules'), '-j KUBE-FORWARD');
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
  filter.append(
    'KUBE-FORWARD',
    comment('kubernetes forwarding rules'),
    `-m mark --mark ${MARK} -j ACCEPT`,
  );
  filter.append(
    'KUBE-FORWARD',
    comment('kubernetes forwarding conntrack rule'),
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  );
}
