import {
  type Cidr,
  cidrEncloses,
  formatCidr,
  formatIp,
  type IpAddress,
  type IpFamily,
} from '../base/ip.ts';
import { addressPlus, firstAddress } from '../ipam/address-range.ts';
import { formatMac } from '../wire/mac.ts';
import type { BackendConf } from './backend-conf.ts';
import type {
  FdbEntry,
  ForwardingEntries,
  NeighbourEntry,
  RouteEntry,
} from './forwarding-entries.ts';
import { LEASE_FAMILIES, type Lease, type LeasePart } from './lease.ts';
import { type NetConf, networksOf } from './net-conf.ts';
import { SubnetOwners } from './subnet-owners.ts';

/** The node whose tables are computed. */
export interface LocalNode {
  readonly lease: Lease;
  readonly conf: NetConf;
  /** The interface that has the public address, for example `eth0`. */
  readonly underlayDevice: string;
  /** What is on that interface's link, for DirectRouting and host-gw. */
  readonly underlayNetworks: readonly Cidr[];
}

export interface DesiredEntries extends ForwardingEntries {
  /** Leases that get no entries, or not all, each with why. */
  readonly problems: readonly string[];
}

const BRIDGE = 'cni0';

/** flannel's name: `flannel.VNI`, `flannel-v6.VNI`. */
export function vxlanDevice(vni: number, family: IpFamily = 'IPv4'): string {
  return family === 'IPv4' ? `flannel.${vni}` : `flannel-v6.${vni}`;
}

/**
 * All that the tables of a node should hold, from all leases: for each remote subnet one route, one neighbour and one
 * FDB entry with vxlan, one route with host-gw and where DirectRouting applies. A function of its arguments only, so
 * the same leases always give the same tables. Leases that contradict the configuration or each other are left out
 * with a problem; of two with one subnet or MAC, the first by name has it.
 */
export function desiredEntries(local: LocalNode, leases: readonly Lease[]): DesiredEntries {
  const builder = new EntriesBuilder(local);
  builder.addLocal();
  const remote = leases.filter((lease) => lease.node !== local.lease.node);
  for (const lease of remote.toSorted((a, b) => (a.node < b.node ? -1 : 1))) builder.add(lease);
  return builder;
}

class EntriesBuilder implements DesiredEntries {
  readonly routes: RouteEntry[] = [];
  readonly neighbours: NeighbourEntry[] = [];
  readonly fdb: FdbEntry[] = [];
  readonly problems: string[] = [];
  readonly #local: LocalNode;
  readonly #subnets = new SubnetOwners();
  readonly #macOwners = new Map<string, string>();

  constructor(local: LocalNode) {
    this.#local = local;
  }

  addLocal(): void {
    const { lease, underlayDevice, underlayNetworks } = this.#local;
    const owner = lease.node;
    for (const { key } of LEASE_FAMILIES) {
      const part = lease[key];
      if (part === undefined) continue;
      const { subnet, publicIp } = part;
      this.#subnets.add({ owner, subnet });
      if (part.vtep !== undefined) this.#macOwners.set(`${key} ${part.vtep.mac}`, owner);
      const source = addressPlus(firstAddress(subnet), 1);
      this.routes.push({ owner, destination: subnet, device: BRIDGE, source });
      for (const destination of underlayNetworks.filter((each) => each.family === subnet.family))
        this.routes.push({ owner, destination, device: underlayDevice, source: publicIp });
    }
  }

  add(lease: Lease): void {
    const { backend } = this.#local.conf;
    if (lease.backendType !== backend.type) {
      this.#problem(lease, `has backend "${lease.backendType}", this node has "${backend.type}"`);
      return;
    }
    for (const { key, family } of LEASE_FAMILIES) {
      const part = lease[key];
      if (part === undefined || this.#local.lease[key] === undefined) continue;
      const problem = this.#subnetProblem(part) ?? this.#addPart(lease, part, family, backend);
      if (problem === undefined) this.#subnets.add({ owner: lease.node, subnet: part.subnet });
      else this.#problem(lease, problem);
    }
  }

  #subnetProblem({ subnet }: LeasePart): string | undefined {
    const network = networksOf(this.#local.conf).find((each) => each.family === subnet.family);
    if (network === undefined || !cidrEncloses(network, subnet))
      return `subnet ${formatCidr(subnet)} is not in the network of net-conf.json`;
    const other = this.#subnets.overlapping(subnet);
    return other === undefined
      ? undefined
      : `subnet ${formatCidr(subnet)} overlaps ${formatCidr(other.subnet)} of node ${other.owner}`;
  }

  #addPart(
    lease: Lease,
    part: LeasePart,
    family: IpFamily,
    backend: BackendConf,
  ): string | undefined {
    const isDirect = this.#isOnLink(part.publicIp);
    if (backend.type === 'host-gw' && !isDirect)
      return `${formatIp(part.publicIp)} is on no network of ${this.#local.underlayDevice}, which host-gw needs`;
    if (backend.type === 'vxlan' && !(backend.directRouting && isDirect))
      return this.#addTunnelled(lease.node, part, vxlanDevice(backend.vni, family), backend.vni);
    this.routes.push({
      owner: lease.node,
      destination: part.subnet,
      via: part.publicIp,
      device: this.#local.underlayDevice,
    });
    return undefined;
  }

  #addTunnelled(
    owner: string,
    { subnet, publicIp, vtep }: LeasePart,
    device: string,
    vni: number,
  ): string | undefined {
    if (vtep === undefined) return 'announces no VTEP';
    if (vtep.vni !== vni) return `has VNI ${vtep.vni}, this node has ${vni}`;
    const { mac } = vtep;
    const macKey = `${subnet.family === 'IPv4' ? 'ipv4' : 'ipv6'} ${mac}`;
    const other = this.#macOwners.get(macKey);
    if (other !== undefined) return `VTEP MAC ${formatMac(mac)} is that of node ${other}`;
    this.#macOwners.set(macKey, owner);
    const via = firstAddress(subnet);
    this.neighbours.push({ owner, address: via, device, mac });
    this.fdb.push({ owner, mac, device, destination: publicIp });
    this.routes.push({ owner, destination: subnet, via, device, onlink: true });
    return undefined;
  }

  #isOnLink(address: IpAddress): boolean {
    return this.#local.underlayNetworks.some((network) => cidrEncloses(network, hostCidr(address)));
  }

  #problem(lease: Lease, what: string): void {
    this.problems.push(`node ${lease.node}: ${what}`);
  }
}

function hostCidr(address: IpAddress): Cidr {
  return address.family === 'IPv4'
    ? { family: 'IPv4', base: address.value, prefixLength: 32 }
    : { family: 'IPv6', base: address.value, prefixLength: 128 };
}
