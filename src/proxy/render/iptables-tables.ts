import { comment } from './rule-parts.ts';
import { RuleTable } from './rule-table.ts';

export interface IptablesTables {
  readonly mangle: RuleTable;
  readonly nat: RuleTable;
  readonly filter: RuleTable;
}

/** `1 << masqueradeBit`, with kube-proxy's bit 14. */
const MARK = '0x4000/0x4000';

const FORWARDING = comment('kubernetes forwarding rules');

/** The kernel's own chains of each table that proxies write to. */
export function emptyTables(): IptablesTables {
  return {
    mangle: new RuleTable('mangle', ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']),
    nat: new RuleTable('nat', ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING']),
    filter: new RuleTable('filter', ['INPUT', 'FORWARD', 'OUTPUT']),
  };
}

/** How packets come to KUBE-SERVICES and KUBE-POSTROUTING, in iptables and in ipvs mode. */
export function writeServiceJumps(nat: RuleTable): void {
  const services = comment('kubernetes service portals');
  nat.append('PREROUTING', services, '-j KUBE-SERVICES');
  nat.append('OUTPUT', services, '-j KUBE-SERVICES');
  nat.append('POSTROUTING', comment('kubernetes postrouting rules'), '-j KUBE-POSTROUTING');
}

/** What is marked on its way in is masqueraded on its way out. */
export function writeMasquerading(nat: RuleTable): void {
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

export function writeForwardJump(filter: RuleTable): void {
  filter.append('FORWARD', FORWARDING, '-j KUBE-FORWARD');
}

/** Marked traffic, and what belongs to it, passes whatever the host's own rules for forwarding say. */
export function writeForwarding(filter: RuleTable): void {
  filter.append('KUBE-FORWARD', FORWARDING, `-m mark --mark ${MARK} -j ACCEPT`);
  filter.append(
    'KUBE-FORWARD',
    comment('kubernetes forwarding conntrack rule'),
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  );
}
