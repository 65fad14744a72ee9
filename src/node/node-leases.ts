import type { Cidr } from '../base/ip.ts';
import type { Resource } from '../base/lifetime.ts';
import type { Lease } from '../overlay/lease.ts';
import type { MacAddress } from '../wire/mac.ts';

/** A node's subnet, and the leases of all nodes: flannel's subnet manager. */
export interface NodeLeases extends Resource {
  /** This node's pods. */
  readonly subnet: Cidr;
  /** The MAC that this node's VTEP is to have; undefined: any. */
  readonly vtepMac: MacAddress | undefined;
  /** Lets the others know. */
  announce(lease: Lease): Promise<void>;
  /** Calls `onLeases` with all leases, now or soon and after every change, until the end. Called once. */
  follow(onLeases: (leases: readonly Lease[]) => void): void;
}
