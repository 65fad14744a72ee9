import {
  type Cidr,
  cidrContains,
  cidrEncloses,
  cidrsOverlap,
  formatCidr,
  formatIp,
  type Ipv4Cidr,
  nthIpv4,
  parseCidr,
  parseIp,
} from '../base/ip.ts';
import type { Draft, Refuse } from './settings-draft.ts';

/** Addresses, names and ports of a cluster. */
export interface NetworkingInput {
  readonly nodeSubnet?: string;
  readonly podSubnet?: string;
  /** Prefix length of each node's share of podSubnet. */
  readonly nodeCIDRMaskSize?: number;
  readonly serviceSubnet?: string;
  readonly clusterDNS?: string;
  readonly dnsDomain?: string;
  readonly loadBalancerPool?: string;
  readonly nodePortRange?: string;
  /** Where the cluster's DNS answers programs outside the cluster, `address:port`. */
  readonly dnsHostAddress?: string;
  /** Who knows other names, for the Corefile's `forward .`: addresses, or a resolv.conf. */
  readonly dnsUpstream?: string;
}

export interface NetworkingSettings {
  readonly nodeSubnet: Ipv4Cidr;
  readonly podSubnet: Ipv4Cidr;
  readonly nodeCIDRMaskSize: number;
  readonly serviceSubnet: Ipv4Cidr;
  readonly clusterDNS: string;
  readonly dnsDomain: string;
  readonly loadBalancerPool: Ipv4Cidr;
  readonly nodePortRange: { readonly first: number; readonly last: number };
  readonly dnsHostAddress: { readonly address: string; readonly port: number };
  /** Empty: names outside the cluster are not forwarded. */
  readonly dnsUpstream: string;
}

/** The loopback plan: every address is local on Linux and needs no privilege. */
const DEFAULTS = {
  nodeSubnet: '127.18.0.0/16',
  podSubnet: '127.244.0.0/16',
  nodeCIDRMaskSize: 24,
  serviceSubnet: '127.96.0.0/16',
  dnsDomain: 'cluster.local',
  loadBalancerPool: '127.18.255.0/24',
  nodePortRange: '30000-32767',
  dnsHostAddress: '127.0.0.1:1053',
  // An answer should not depend on the machine's network unless it is asked to.
  dnsUpstream: 'none',
} as const;

/** The first node is the subnet's third address, as in a Docker network whose gateway is the second. */
const FIRST_NODE_INDEX = 2;
const DNS_LABELS = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Fills in the defaults and checks each by itself and against the others. */
export function resolveNetworking(
  input: NetworkingInput,
  nodes: number,
  refuse: Refuse,
): Draft<NetworkingSettings> {
  const cidr = (field: keyof NetworkingInput & keyof typeof DEFAULTS): Ipv4Cidr | undefined =>
    ipv4Cidr(String(input[field] ?? DEFAULTS[field]), `networking.${field}`, refuse);
  const nodeSubnet = cidr('nodeSubnet');
  const podSubnet = cidr('podSubnet');
  const serviceSubnet = cidr('serviceSubnet');
  const loadBalancerPool = cidr('loadBalancerPool');
  checkOverlaps({ nodeSubnet, podSubnet, serviceSubnet, loadBalancerPool }, refuse);
  const nodeCIDRMaskSize = input.nodeCIDRMaskSize ?? DEFAULTS.nodeCIDRMaskSize;
  if (podSubnet !== undefined) checkNodeCidrs(podSubnet, nodeCIDRMaskSize, nodes, refuse);
  if (nodeSubnet !== undefined) checkNodeAddresses(nodeSubnet, loadBalancerPool, nodes, refuse);
  return {
    nodeSubnet,
    podSubnet,
    nodeCIDRMaskSize,
    serviceSubnet,
    loadBalancerPool,
    clusterDNS: clusterDns(input.clusterDNS, serviceSubnet, refuse),
    dnsDomain: domain(input.dnsDomain ?? DEFAULTS.dnsDomain, refuse),
    nodePortRange: portRange(input.nodePortRange ?? DEFAULTS.nodePortRange, refuse),
    dnsHostAddress: hostPort(input.dnsHostAddress ?? DEFAULTS.dnsHostAddress, refuse),
    dnsUpstream: upstream(input.dnsUpstream ?? DEFAULTS.dnsUpstream, refuse),
  };
}

/** The address of the `index`-th node (0-based). */
export function nodeAddress(
  { nodeSubnet }: Pick<NetworkingSettings, 'nodeSubnet'>,
  index: number,
): string {
  return nthIpv4(nodeSubnet, FIRST_NODE_INDEX + index);
}

function ipv4Cidr(text: string, field: string, refuse: Refuse): Ipv4Cidr | undefined {
  const strict = parseCidr(text);
  if (strict?.family === 'IPv4') return strict;
  const loose: Cidr | undefined = parseCidr(text, { allowHostBits: true });
  if (loose?.family === 'IPv4')
    return refuse(
      field,
      `Invalid value: "${text}": has host bits set; did you mean ${formatCidr(loose)}?`,
    );
  if (loose?.family === 'IPv6')
    return refuse(field, `Invalid value: "${text}": the cluster's addresses are IPv4`);
  return refuse(field, `Invalid value: "${text}": must be a CIDR such as 127.244.0.0/16`);
}

type Ranges = Readonly<
  Record<'nodeSubnet' | 'podSubnet' | 'serviceSubnet' | 'loadBalancerPool', Ipv4Cidr | undefined>
>;

/** Only the load balancer pool may lie inside another range: the node subnet. */
function checkOverlaps(ranges: Ranges, refuse: Refuse): void {
  const named = Object.entries(ranges);
  for (const [index, [name, range]] of named.entries()) {
    for (const [otherName, other] of named.slice(0, index)) {
      if (range === undefined || other === undefined || !cidrsOverlap(range, other)) continue;
      const poolInNodes = name === 'loadBalancerPool' && otherName === 'nodeSubnet';
      if (poolInNodes && cidrEncloses(other, range)) continue;
      refuse(
        `networking.${name}`,
        `Invalid value: "${formatCidr(range)}": overlaps networking.${otherName} ${formatCidr(other)}`,
      );
    }
  }
}

function checkNodeCidrs(
  podSubnet: Ipv4Cidr,
  maskSize: number,
  nodes: number,
  refuse: Refuse,
): void {
  const field = 'networking.nodeCIDRMaskSize';
  if (!Number.isInteger(maskSize) || maskSize < podSubnet.prefixLength || maskSize > 30) {
    refuse(
      field,
      `Invalid value: ${maskSize}: must be between podSubnet's ${podSubnet.prefixLength} and 30`,
    );
    return;
  }
  const shares = 2 ** (maskSize - podSubnet.prefixLength);
  if (shares < nodes)
    refuse(
      field,
      `Invalid value: ${maskSize}: podSubnet ${formatCidr(podSubnet)} holds ${shares} /${maskSize} node CIDRs, but there are ${nodes} nodes`,
    );
}

function checkNodeAddresses(
  nodeSubnet: Ipv4Cidr,
  pool: Ipv4Cidr | undefined,
  nodes: number,
  refuse: Refuse,
): void {
  const usable = 2 ** (32 - nodeSubnet.prefixLength) - FIRST_NODE_INDEX - 1;
  if (nodes > usable) {
    refuse(
      'networking.nodeSubnet',
      `Invalid value: "${formatCidr(nodeSubnet)}": has room for ${Math.max(usable, 0)} nodes, but there are ${nodes}`,
    );
    return;
  }
  const last = nodeSubnet.base + FIRST_NODE_INDEX + nodes - 1;
  const collides =
    pool !== undefined &&
    pool.base <= last &&
    cidrEncloses(nodeSubnet, pool) &&
    pool.base + 2 ** (32 - pool.prefixLength) > nodeSubnet.base + FIRST_NODE_INDEX;
  if (collides)
    refuse(
      'networking.loadBalancerPool',
      `Invalid value: "${formatCidr(pool)}": holds node addresses (the ${nodes} nodes end at ${formatIp({ family: 'IPv4', value: last })})`,
    );
}

/** By default the tenth address of the Service subnet. */
function clusterDns(
  given: string | undefined,
  serviceSubnet: Ipv4Cidr | undefined,
  refuse: Refuse,
): string | undefined {
  const field = 'networking.clusterDNS';
  const address = given ?? (serviceSubnet && nthIpv4(serviceSubnet, 10));
  if (address === undefined || serviceSubnet === undefined) return address;
  const ip = parseIp(address);
  if (ip === undefined) return refuse(field, `Invalid value: "${address}": must be an IP address`);
  if (cidrContains(serviceSubnet, ip)) return address;
  return refuse(
    field,
    `Invalid value: "${address}": is not in serviceSubnet ${formatCidr(serviceSubnet)}`,
  );
}

function domain(name: string, refuse: Refuse): string | undefined {
  if (DNS_LABELS.test(name) && name.length <= 253) return name;
  return refuse(
    'networking.dnsDomain',
    `Invalid value: "${name}": must be a DNS name such as cluster.local`,
  );
}

function portRange(text: string, refuse: Refuse): NetworkingSettings['nodePortRange'] | undefined {
  const match = /^(\d+)-(\d+)$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (match !== null && first >= 1 && first <= last && last <= 65_535) return { first, last };
  return refuse(
    'networking.nodePortRange',
    `Invalid value: "${text}": must be FIRST-LAST such as 30000-32767`,
  );
}

function hostPort(text: string, refuse: Refuse): NetworkingSettings['dnsHostAddress'] | undefined {
  const match = /^(.+):(\d+)$/.exec(text);
  const ip = parseIp(match?.[1] ?? '');
  const port = Number(match?.[2]);
  if (ip !== undefined && port <= 65_535) return { address: formatIp(ip), port };
  return refuse(
    'networking.dnsHostAddress',
    `Invalid value: "${text}": must be ADDRESS:PORT such as 127.0.0.1:1053`,
  );
}

/** `none`, a file such as /etc/resolv.conf, or addresses with or without port. */
function upstream(text: string, refuse: Refuse): string | undefined {
  if (text === 'none') return '';
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const isServer = (word: string): boolean =>
    parseIp(word) !== undefined || /^[^:]+:\d+$/.test(word) || /^\[.+\]:\d+$/.test(word);
  const valid = words.length > 0 && words.every((word) => word.startsWith('/') || isServer(word));
  if (valid) return words.join(' ');
  return refuse(
    'networking.dnsUpstream',
    `Invalid value: "${text}": must be none, a file such as /etc/resolv.conf, or addresses such as 192.0.2.53`,
  );
}
