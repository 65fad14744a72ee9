import {
  type Cidr,
  cidrEncloses,
  formatCidr,
  formatIp,
  type IpAddress,
  type IpFamily,
  parseCidr,
  parseIp,
} from '../base/ip.ts';
import { formatVtepData, parseVtepData, type VtepData } from './backend-data.ts';
import { LEASE_FAMILIES, type Lease, type LeasePart } from './lease.ts';
import { type NetConf, networksOf } from './net-conf.ts';

/** What a lease needs of a Node object. */
export interface NodeView {
  readonly name: string;
  readonly podCidrs: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

export type NodeLease =
  | { readonly kind: 'lease'; readonly lease: Lease }
  /** The node is not, or not yet, one of this overlay: peers ignore it. */
  | { readonly kind: 'notManaged' }
  /** It should be one and cannot; `reason` is for its readiness. */
  | { readonly kind: 'refused'; readonly reason: string };

/** flannel's `--kube-annotation-prefix`. */
const PREFIX = 'flannel.alpha.coreos.com/';

const KEYS: Readonly<
  Record<IpFamily, { data: string; publicIp: string; overwrite: string; startIp: string }>
> = {
  IPv4: {
    data: 'backend-data',
    publicIp: 'public-ip',
    overwrite: 'public-ip-overwrite',
    startIp: 'node-public-ip',
  },
  IPv6: {
    data: 'backend-v6-data',
    publicIp: 'public-ipv6',
    overwrite: 'public-ipv6-overwrite',
    startIp: 'node-public-ipv6',
  },
};

/** The annotations that announce a lease; to be merged into the Node. */
export function annotationsOf(lease: Lease): Record<string, string> {
  const annotations: Record<string, string> = {
    [`${PREFIX}kube-subnet-manager`]: 'true',
    [`${PREFIX}backend-type`]: lease.backendType,
  };
  for (const { key, family } of LEASE_FAMILIES) {
    const part = lease[key];
    if (part === undefined) continue;
    annotations[PREFIX + KEYS[family].data] = formatVtepData(part.vtep);
    annotations[PREFIX + KEYS[family].publicIp] = formatIp(part.publicIp);
  }
  return annotations;
}

/** The lease that a Node announces, as flannel's kube subnet manager reads it. */
export function leaseOfNode(node: NodeView, conf: NetConf): NodeLease {
  const annotation = (name: string): string | undefined => node.annotations[PREFIX + name];
  if (annotation('kube-subnet-manager') !== 'true') return { kind: 'notManaged' };
  const subnets = assignedSubnets(node, conf);
  if (subnets.kind === 'refused') return subnets;
  const parts: { ipv4?: LeasePart; ipv6?: LeasePart } = {};
  for (const { key, family } of LEASE_FAMILIES) {
    const subnet = subnets.cidrs.find((cidr) => cidr.family === family);
    if (subnet === undefined) continue;
    const text = annotation(KEYS[family].overwrite) ?? annotation(KEYS[family].publicIp);
    const publicIp = text === undefined ? undefined : parseIp(text);
    if (publicIp?.family !== family)
      return refused(
        `node "${node.name}": ${PREFIX}${KEYS[family].publicIp} is no ${family} address: "${text ?? ''}"`,
      );
    parts[key] = partOf(subnet, publicIp, parseVtepData(annotation(KEYS[family].data)));
  }
  return {
    kind: 'lease',
    lease: { node: node.name, backendType: annotation('backend-type') ?? '', ...parts },
  };
}

/** The node's podCIDRs of the configured families, or why the node cannot have a lease. */
export function assignedSubnets(
  node: NodeView,
  conf: NetConf,
): { kind: 'ok'; cidrs: Cidr[] } | { kind: 'refused'; reason: string } {
  if (node.podCidrs.length === 0)
    return refused(`node "${node.name}" pod cidr not assigned: the cluster CIDR may be exhausted`);
  const networks = networksOf(conf);
  const cidrs: Cidr[] = [];
  for (const text of node.podCidrs) {
    const cidr = parseCidr(text);
    if (cidr === undefined) return refused(`node "${node.name}": podCIDR "${text}" is no CIDR`);
    const network = networks.find((each) => each.family === cidr.family);
    if (network === undefined) continue;
    if (!cidrEncloses(network, cidr))
      return refused(
        `node "${node.name}": podCIDR ${text} is not in the network ${formatCidr(network)} of net-conf.json`,
      );
    cidrs.push(cidr);
  }
  const missing = networks.find((each) => !cidrs.some((cidr) => cidr.family === each.family));
  if (missing !== undefined)
    return refused(
      `node "${node.name}" has no ${missing.family} podCIDR, and net-conf.json wants one`,
    );
  return { kind: 'ok', cidrs };
}

/** The VTEP that the node had before it restarted: keeping its MAC spares the peers a change. */
export function storedVtep(node: NodeView, family: IpFamily): VtepData | undefined {
  return parseVtepData(node.annotations[PREFIX + KEYS[family].data]);
}

/** The user's choice of the node's public address, read once at start. */
export function chosenPublicIp(node: NodeView, family: IpFamily): IpAddress | undefined {
  const text = node.annotations[PREFIX + KEYS[family].startIp];
  const address = text === undefined ? undefined : parseIp(text);
  return address?.family === family ? address : undefined;
}

function partOf(subnet: Cidr, publicIp: IpAddress, vtep: VtepData | undefined): LeasePart {
  return vtep === undefined ? { subnet, publicIp } : { subnet, publicIp, vtep };
}

function refused(reason: string): { kind: 'refused'; reason: string } {
  return { kind: 'refused', reason };
}
