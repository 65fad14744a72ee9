import type { Cidr, IpAddress, IpFamily } from '../base/ip.ts';
import type { MacAddress } from '../wire/mac.ts';

/** What a node needs to be reached in one family. */
export interface LeasePart {
  /** The node's pods. */
  readonly subnet: Cidr;
  /** The other end of the tunnel, or the next hop. */
  readonly publicIp: IpAddress;
  /** Absent for host-gw. */
  readonly vtep?: { readonly vni: number; readonly mac: MacAddress };
}

/** A node's claim to its pod subnets, as every other node sees it. At least one of the parts is there. */
export interface Lease {
  /** The node's name; with etcd, which knows no names, its public address. */
  readonly node: string;
  /** As written by the node: `vxlan`, `host-gw`, or what another program says. */
  readonly backendType: string;
  readonly ipv4?: LeasePart;
  readonly ipv6?: LeasePart;
}

/** Where the leases of all nodes come from. */
export interface LeaseSource {
  /**
   * Calls `onLeases` with all leases, this node's included, at first and after every change, until the signal
   * aborts. Always the whole set: a missed event cannot leave anything behind. Rejects when it cannot go on.
   */
  watch(onLeases: (leases: readonly Lease[]) => void, signal: AbortSignal): Promise<void>;
}

export const LEASE_FAMILIES: readonly {
  readonly key: 'ipv4' | 'ipv6';
  readonly family: IpFamily;
}[] = [
  { key: 'ipv4', family: 'IPv4' },
  { key: 'ipv6', family: 'IPv6' },
];
