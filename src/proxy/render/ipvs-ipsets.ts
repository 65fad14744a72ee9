import type { IpFamilyName } from '../../api/types/core.ts';
import { cidrContains, formatCidr, parseIp } from '../../base/ip.ts';
import { isLocal } from '../../services/categorize-endpoints.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import type { NodeView } from '../node-context.ts';
import type { Ipset } from './ipset.ts';

export type IpsetName =
  | 'KUBE-LOOP-BACK'
  | 'KUBE-CLUSTER-IP'
  | 'KUBE-EXTERNAL-IP'
  | 'KUBE-EXTERNAL-IP-LOCAL'
  | 'KUBE-LOAD-BALANCER'
  | 'KUBE-LOAD-BALANCER-LOCAL'
  | 'KUBE-LOAD-BALANCER-FW'
  | 'KUBE-LOAD-BALANCER-SOURCE-IP'
  | 'KUBE-LOAD-BALANCER-SOURCE-CIDR'
  | 'KUBE-NODE-PORT-TCP'
  | 'KUBE-NODE-PORT-LOCAL-TCP'
  | 'KUBE-NODE-PORT-UDP'
  | 'KUBE-NODE-PORT-LOCAL-UDP'
  | 'KUBE-NODE-PORT-SCTP-HASH'
  | 'KUBE-NODE-PORT-LOCAL-SCTP-HASH'
  | 'KUBE-HEALTH-CHECK-NODE-PORT'
  | 'KUBE-IPVS-IPS';

const TYPES: Readonly<Record<IpsetName, string>> = {
  'KUBE-LOOP-BACK': 'hash:ip,port,ip',
  'KUBE-CLUSTER-IP': 'hash:ip,port',
  'KUBE-EXTERNAL-IP': 'hash:ip,port',
  'KUBE-EXTERNAL-IP-LOCAL': 'hash:ip,port',
  'KUBE-LOAD-BALANCER': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-LOCAL': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-FW': 'hash:ip,port',
  'KUBE-LOAD-BALANCER-SOURCE-IP': 'hash:ip,port,ip',
  'KUBE-LOAD-BALANCER-SOURCE-CIDR': 'hash:ip,port,net',
  'KUBE-NODE-PORT-TCP': 'bitmap:port',
  'KUBE-NODE-PORT-LOCAL-TCP': 'bitmap:port',
  'KUBE-NODE-PORT-UDP': 'bitmap:port',
  'KUBE-NODE-PORT-LOCAL-UDP': 'bitmap:port',
  'KUBE-NODE-PORT-SCTP-HASH': 'hash:ip,port',
  'KUBE-NODE-PORT-LOCAL-SCTP-HASH': 'hash:ip,port',
  'KUBE-HEALTH-CHECK-NODE-PORT': 'bitmap:port',
  'KUBE-IPVS-IPS': 'hash:ip',
};

/** IPSET_MAXNAMELEN without its final zero. */
const MAX_NAME_LENGTH = 31;

/** Both families' sets live side by side in one kernel, so those of IPv6 are called KUBE-6-…, cut at 31. */
export function ipsetName(name: IpsetName, family: IpFamilyName): string {
  if (family === 'IPv4') return name;
  return name.replace('KUBE-', 'KUBE-6-').slice(0, MAX_NAME_LENGTH);
}

/** The members of every set of ipvs mode. */
export type Ipsets = ReadonlyMap<IpsetName, ReadonlySet<string>>;

/** What kube-proxy's ipvs mode writes into its sets, in one family. */
export function ipvsIpsets(table: RoutingTable, view: NodeView, family: IpFamilyName): Ipsets {
  const sets = new Map(
    (Object.keys(TYPES) as IpsetName[]).map((name) => [name, new Set<string>()] as const),
  );
  const add = (name: IpsetName, member: string): void => void sets.get(name)?.add(member);
  for (const servicePort of table.servicePorts.values()) {
    if (servicePort.info.family !== family) continue;
    addLoopback(servicePort, table, add);
    for (const frontend of servicePort.frontends) addFrontend(frontend, view, add);
    const { healthCheckNodePort } = servicePort.info;
    if (healthCheckNodePort !== 0) add('KUBE-HEALTH-CHECK-NODE-PORT', String(healthCheckNodePort));
  }
  return sets;
}

/** The sets under the names and types that the kernel has them by. */
export function listIpsets(sets: Ipsets, family: IpFamilyName): Ipset[] {
  const inet = family === 'IPv4' ? 'inet' : 'inet6';
  return Array.from(sets, ([name, members]) => {
    const type = TYPES[name];
    return {
      name: ipsetName(name, family),
      type,
      options:
        type === 'bitmap:port' ? 'range 0-65535' : `family ${inet} hashsize 1024 maxelem 65536`,
      members: [...members].toSorted(),
    };
  });
}

type Add = (name: IpsetName, member: string) => void;

/** All endpoints of this node, usable or not. */
function addLoopback(servicePort: ServicePort, table: RoutingTable, add: Add): void {
  const protocol = servicePort.info.protocol.toLowerCase();
  for (const endpoint of servicePort.endpoints)
    if (isLocal(endpoint, table.node)) {
      const { address, port } = endpoint;
      add('KUBE-LOOP-BACK', `${address},${protocol}:${port},${address}`);
    }
}

function addFrontend(frontend: Frontend, view: NodeView, add: Add): void {
  const { info } = frontend.servicePort;
  if (frontend.address === undefined) {
    addNodePort(frontend, view, add);
    return;
  }
  const member = `${frontend.address},${frontend.protocol.toLowerCase()}:${frontend.port}`;
  if (!view.isNode(frontend.address)) add('KUBE-IPVS-IPS', frontend.address);
  if (frontend.kind === 'clusterIP') add('KUBE-CLUSTER-IP', member);
  else if (frontend.kind === 'externalIP')
    add(info.externalPolicyLocal ? 'KUBE-EXTERNAL-IP-LOCAL' : 'KUBE-EXTERNAL-IP', member);
  else {
    add('KUBE-LOAD-BALANCER', member);
    if (info.externalPolicyLocal) add('KUBE-LOAD-BALANCER-LOCAL', member);
    addSourceRanges(frontend, member, view, add);
  }
}

/** A bitmap of ports does not know SCTP, so its node ports stand with each address. */
function addNodePort(frontend: Frontend, view: NodeView, add: Add): void {
  const { protocol, port, family } = frontend;
  const local = frontend.servicePort.info.externalPolicyLocal;
  if (protocol !== 'SCTP') {
    add(`KUBE-NODE-PORT-${protocol}`, String(port));
    if (local) add(`KUBE-NODE-PORT-LOCAL-${protocol}`, String(port));
    return;
  }
  for (const address of view.nodePortAddresses(family)) {
    const member = `${address},sctp:${port}`;
    add('KUBE-NODE-PORT-SCTP-HASH', member);
    if (local) add('KUBE-NODE-PORT-LOCAL-SCTP-HASH', member);
  }
}

function addSourceRanges(frontend: Frontend, member: string, view: NodeView, add: Add): void {
  const { info } = frontend.servicePort;
  const ranges = info.loadBalancerSourceRanges;
  if (ranges.length === 0) return;
  add('KUBE-LOAD-BALANCER-FW', member);
  const node = parseIp(view.primaryIP(info.family) ?? '');
  for (const range of ranges) {
    // A hash:net holds no block of length 0.
    const halves = range.prefixLength === 0 ? HALVES[range.family] : [formatCidr(range)];
    for (const block of halves) add('KUBE-LOAD-BALANCER-SOURCE-CIDR', `${member},${block}`);
  }
  if (node !== undefined && ranges.some((range) => cidrContains(range, node)))
    add('KUBE-LOAD-BALANCER-SOURCE-IP', `${member},${frontend.address ?? ''}`);
}

const HALVES: Readonly<Record<IpFamilyName, readonly string[]>> = {
  IPv4: ['0.0.0.0/1', '128.0.0.0/1'],
  IPv6: ['::/1', '8000::/1'],
};
