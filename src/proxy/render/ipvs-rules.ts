import type { IpFamilyName } from '../../api/types/core.ts';
import type { RoutingTable } from '../../services/routing-table.ts';
import { IPVS_NODE_PORTS } from '../modes/ipvs-mode.ts';
import { type NodeContext, NodeView } from '../node-context.ts';
import {
  emptyTables,
  type IptablesTables,
  writeForwarding,
  writeForwardJump,
  writeMasquerading,
  writeServiceJumps,
} from './iptables-tables.ts';
import { type IpsetName, ipsetName, type Ipsets, ipvsIpsets } from './ipvs-ipsets.ts';
import { comment, MARK_MASQ, podMatches, TO_LOCAL } from './rule-parts.ts';
import type { RuleTable } from './rule-table.ts';

const COMMENTS = {
  'KUBE-LOOP-BACK': 'Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose',
  'KUBE-CLUSTER-IP': 'Kubernetes service cluster ip + port for masquerade purpose',
  'KUBE-EXTERNAL-IP': 'Kubernetes service external ip + port for masquerade and filter purpose',
  'KUBE-EXTERNAL-IP-LOCAL':
    'Kubernetes service external ip + port with externalTrafficPolicy=local',
  'KUBE-LOAD-BALANCER': 'Kubernetes service lb portal',
  'KUBE-LOAD-BALANCER-LOCAL':
    'Kubernetes service load balancer ip + port with externalTrafficPolicy=local',
  'KUBE-LOAD-BALANCER-FW':
    'Kubernetes service load balancer ip + port for load balancer with sourceRange',
  'KUBE-LOAD-BALANCER-SOURCE-IP':
    'Kubernetes service load balancer ip + port + source IP for packet filter purpose',
  'KUBE-LOAD-BALANCER-SOURCE-CIDR':
    'Kubernetes service load balancer ip + port + source cidr for packet filter purpose',
  'KUBE-NODE-PORT-TCP': 'Kubernetes nodeport TCP port for masquerade purpose',
  'KUBE-NODE-PORT-LOCAL-TCP': 'Kubernetes nodeport TCP port with externalTrafficPolicy=local',
  'KUBE-NODE-PORT-UDP': 'Kubernetes nodeport UDP port for masquerade purpose',
  'KUBE-NODE-PORT-LOCAL-UDP': 'Kubernetes nodeport UDP port with externalTrafficPolicy=local',
  'KUBE-NODE-PORT-SCTP-HASH':
    "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
  'KUBE-NODE-PORT-LOCAL-SCTP-HASH':
    "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
  'KUBE-HEALTH-CHECK-NODE-PORT': 'Kubernetes health check node port',
} as const;

/** The few rules of kube-proxy's ipvs mode, one for each set that has members (writeIptablesRules). */
export function ipvsRules(
  table: RoutingTable,
  context: NodeContext,
  family: IpFamilyName = 'IPv4',
): IptablesTables {
  const view = new NodeView(context, IPVS_NODE_PORTS);
  const sets = ipvsIpsets(table, view, family);
  const tables = emptyTables();
  writeServiceJumps(tables.nat);
  for (const chain of ['KUBE-LOAD-BALANCER', 'KUBE-NODE-PORT', 'KUBE-SERVICES'])
    tables.nat.chain(chain);
  writeFilterJumps(tables.filter);
  writeNat(tables.nat, sets, context, family);
  writeFilter(tables.filter, sets, family);
  return tables;
}

function writeFilterJumps(filter: RuleTable): void {
  const firewall = comment('kube-proxy firewall rules');
  filter.append('INPUT', comment('kubernetes ipvs access filter'), '-j KUBE-IPVS-FILTER');
  filter.append('INPUT', firewall, '-j KUBE-PROXY-FIREWALL');
  filter.append('INPUT', comment('kubernetes health check rules'), '-j KUBE-NODE-PORT');
  filter.append('FORWARD', firewall, '-j KUBE-PROXY-FIREWALL');
  writeForwardJump(filter);
  for (const chain of ['KUBE-NODE-PORT', 'KUBE-PROXY-FIREWALL']) filter.chain(chain);
}

type Match = (name: IpsetName, directions: string) => string;

function inSetsOf(family: IpFamilyName): Match {
  return (name, directions) => `-m set --match-set ${ipsetName(name, family)} ${directions}`;
}

/** A rule for a set, if that has members. */
function setRule(
  table: RuleTable,
  sets: Ipsets,
  inSet: Match,
  chain: string,
  name: keyof typeof COMMENTS,
  directions: string,
  target: string,
  protocol?: 'tcp' | 'udp' | 'sctp',
): void {
  if ((sets.get(name)?.size ?? 0) === 0) return;
  const before = protocol === undefined ? [] : [`-p ${protocol}`];
  table.append(chain, ...before, comment(COMMENTS[name]), inSet(name, directions), target);
}

function writeNat(nat: RuleTable, sets: Ipsets, context: NodeContext, family: IpFamilyName): void {
  const inSet = inSetsOf(family);
  const rule = setRule.bind(undefined, nat, sets, inSet);
  const loopback = family === 'IPv4' ? '127.0.0.0/8' : '::1/128';
  nat.append('KUBE-SERVICES', `-s ${loopback} -j RETURN`);
  rule('KUBE-POSTROUTING', 'KUBE-LOOP-BACK', 'dst,dst,src', '-j MASQUERADE');
  rule('KUBE-SERVICES', 'KUBE-LOAD-BALANCER', 'dst,dst', '-j KUBE-LOAD-BALANCER');
  rule('KUBE-LOAD-BALANCER', 'KUBE-LOAD-BALANCER-LOCAL', 'dst,dst', '-j RETURN');
  for (const [protocol, name] of [
    ['tcp', 'TCP'],
    ['udp', 'UDP'],
  ] as const) {
    rule('KUBE-NODE-PORT', `KUBE-NODE-PORT-LOCAL-${name}`, 'dst', '-j RETURN', protocol);
    rule('KUBE-NODE-PORT', `KUBE-NODE-PORT-${name}`, 'dst', MARK_MASQ, protocol);
  }
  rule('KUBE-NODE-PORT', 'KUBE-NODE-PORT-LOCAL-SCTP-HASH', 'dst,dst', '-j RETURN', 'sctp');
  rule('KUBE-NODE-PORT', 'KUBE-NODE-PORT-SCTP-HASH', 'dst,dst', MARK_MASQ, 'sctp');
  writeClusterIPs(nat, sets, context, family);
  rule('KUBE-SERVICES', 'KUBE-EXTERNAL-IP', 'dst,dst', MARK_MASQ);
  for (const name of ['KUBE-EXTERNAL-IP', 'KUBE-EXTERNAL-IP-LOCAL'] as const) {
    const outside = '-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT';
    rule('KUBE-SERVICES', name, 'dst,dst', outside);
    rule('KUBE-SERVICES', name, 'dst,dst', `${TO_LOCAL} -j ACCEPT`);
  }
  nat.append('KUBE-SERVICES', TO_LOCAL, '-j KUBE-NODE-PORT');
  for (const name of ['KUBE-CLUSTER-IP', 'KUBE-LOAD-BALANCER'] as const)
    if ((sets.get(name)?.size ?? 0) > 0)
      nat.append('KUBE-SERVICES', inSet(name, 'dst,dst'), '-j ACCEPT');
  nat.append('KUBE-LOAD-BALANCER', MARK_MASQ);
  writeMasquerading(nat);
}

function writeClusterIPs(
  nat: RuleTable,
  sets: Ipsets,
  context: NodeContext,
  family: IpFamilyName,
): void {
  if ((sets.get('KUBE-CLUSTER-IP')?.size ?? 0) === 0) return;
  const inSet = inSetsOf(family);
  const text = comment(COMMENTS['KUBE-CLUSTER-IP']);
  const dialled = inSet('KUBE-CLUSTER-IP', 'dst,dst');
  const pods = podMatches(context.detectLocal, family);
  if (context.masqueradeAll) nat.append('KUBE-SERVICES', text, dialled, MARK_MASQ);
  else if (pods.length > 0)
    for (const { notFrom } of pods) nat.append('KUBE-SERVICES', notFrom, text, dialled, MARK_MASQ);
  // The node's own packets, which have the address of kube-ipvs0 that they are sent to.
  else nat.append('KUBE-SERVICES', text, inSet('KUBE-CLUSTER-IP', 'src,dst'), MARK_MASQ);
}

function writeFilter(filter: RuleTable, sets: Ipsets, family: IpFamilyName): void {
  const inSet = inSetsOf(family);
  const rule = setRule.bind(undefined, filter, sets, inSet);
  rule('KUBE-PROXY-FIREWALL', 'KUBE-LOAD-BALANCER-FW', 'dst,dst', '-j KUBE-SOURCE-RANGES-FIREWALL');
  const ranges = 'KUBE-SOURCE-RANGES-FIREWALL';
  rule(ranges, 'KUBE-LOAD-BALANCER-SOURCE-CIDR', 'dst,dst,src', '-j RETURN');
  rule(ranges, 'KUBE-LOAD-BALANCER-SOURCE-IP', 'dst,dst,src', '-j RETURN');
  filter.append(ranges, '-j DROP');
  writeForwarding(filter);
  rule('KUBE-NODE-PORT', 'KUBE-HEALTH-CHECK-NODE-PORT', 'dst', '-j ACCEPT');
  const icmp = family === 'IPv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
  for (const name of [
    'KUBE-LOAD-BALANCER',
    'KUBE-CLUSTER-IP',
    'KUBE-EXTERNAL-IP',
    'KUBE-EXTERNAL-IP-LOCAL',
  ] as const)
    filter.append('KUBE-IPVS-FILTER', inSet(name, 'dst,dst'), '-j RETURN');
  filter.append('KUBE-IPVS-FILTER', inSet('KUBE-HEALTH-CHECK-NODE-PORT', 'dst'), '-j RETURN');
  filter.append(
    'KUBE-IPVS-FILTER',
    '-m conntrack --ctstate NEW',
    inSet('KUBE-IPVS-IPS', 'dst'),
    `-j REJECT --reject-with ${icmp}`,
  );
}
