import type { IpFamilyName } from '../../api/types/core.ts';
import type { NodeView } from '../node-context.ts';
import { addressSet } from './nft-address-set.ts';
import { NftTable } from './nft-table.ts';

const MARK = '0x00004000';

/** Base chains by name: those of the filter type run before DNAT, but for what only sees what was not translated. */
const BASE_CHAINS: readonly (readonly [name: string, head: string])[] = [
  [
    'filter-prerouting-pre-dnat',
    'type filter hook prerouting priority dstnat - 10; policy accept;',
  ],
  ['filter-output-pre-dnat', 'type filter hook output priority -110; policy accept;'],
  ['filter-input', 'type filter hook input priority filter; policy accept;'],
  ['filter-forward', 'type filter hook forward priority filter; policy accept;'],
  ['filter-output', 'type filter hook output priority filter; policy accept;'],
  ['nat-prerouting', 'type nat hook prerouting priority dstnat; policy accept;'],
  ['nat-output', 'type nat hook output priority -100; policy accept;'],
  ['nat-postrouting', 'type nat hook postrouting priority srcnat; policy accept;'],
];

const JUMPS: readonly (readonly [from: string, to: string, onlyNew: boolean])[] = [
  ['filter-prerouting-pre-dnat', 'firewall-check', true],
  ['filter-output-pre-dnat', 'firewall-check', true],
  ['filter-input', 'nodeport-endpoints-check', true],
  ['filter-input', 'service-endpoints-check', true],
  ['filter-forward', 'service-endpoints-check', true],
  ['filter-forward', 'cluster-ips-check', true],
  ['filter-output', 'service-endpoints-check', true],
  ['filter-output', 'cluster-ips-check', true],
  ['nat-prerouting', 'services', false],
  ['nat-output', 'services', false],
  ['nat-postrouting', 'masquerading', false],
];

/** The chains of nftables mode that are there before any Service (setupNFTables). */
export function nftSkeleton(view: NodeView, family: IpFamilyName): NftTable {
  const ip = family === 'IPv4' ? 'ip' : 'ip6';
  const table = new NftTable(ip);
  for (const [name, head] of BASE_CHAINS) table.chain(name, head);
  for (const [from, to, onlyNew] of JUMPS)
    table.rule(from, ...(onlyNew ? ['ct state new'] : []), `jump ${to}`);
  const service = `${ip} daddr . meta l4proto . th dport vmap`;
  const port = `meta l4proto . th dport vmap`;
  const all = view.servesAllNodeAddresses(family);
  const loopback = family === 'IPv4' ? '127.0.0.0/8' : '::1';
  const own = all ? `${ip} daddr != ${loopback}` : `${ip} daddr @nodeport-ips`;
  table.rule('firewall-check', `${service} @firewall-ips`);
  table.rule('nodeport-endpoints-check', own, `${port} @no-endpoint-nodeports`);
  table.rule('service-endpoints-check', `${service} @no-endpoint-services`);
  table.rule(
    'cluster-ips-check',
    `${ip} daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"`,
  );
  const cidrs = view.context.serviceCIDRs.filter((cidr) => cidr.family === family);
  if (cidrs.length > 0)
    table.rule(
      'cluster-ips-check',
      `${ip} daddr ${addressSet(cidrs)} drop comment "Drop traffic to unallocated ClusterIPs"`,
    );
  table.rule('services', `${service} @service-ips`);
  table.rule(
    'services',
    ...(all ? ['fib daddr type local'] : []),
    own,
    `${port} @service-nodeports`,
  );
  table.rule('mark-for-masquerade', `meta mark set meta mark | ${MARK}`);
  table.rule('masquerading', `meta mark & ${MARK} == 0x00000000 return`);
  table.rule('masquerading', `meta mark set meta mark ^ ${MARK}`);
  table.rule('masquerading', 'masquerade fully-random');
  table.chain(
    'reject-chain',
    'comment "helper for @no-endpoint-services / @no-endpoint-nodeports"',
  );
  table.rule('reject-chain', 'reject');
  return table;
}
