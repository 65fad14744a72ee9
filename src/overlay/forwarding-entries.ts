import type { Cidr, IpAddress } from '../base/ip.ts';
import type { MacAddress } from '../wire/mac.ts';

/** A line of `ip route`. */
export interface RouteEntry {
  readonly owner: string;
  readonly destination: Cidr;
  readonly device: string;
  /** The next hop; absent for what is on the link itself. */
  readonly via?: IpAddress;
  /** The next hop counts as on the link though no route says so. */
  readonly onlink?: boolean;
  /** The node's own address on the link, for what is on the link itself. */
  readonly source?: IpAddress;
}

/** A line of `ip neigh`. */
export interface NeighbourEntry {
  readonly owner: string;
  readonly address: IpAddress;
  readonly device: string;
  readonly mac: MacAddress;
}

/** A line of `bridge fdb`: frames to `mac` go to the VTEP at `destination`. */
export interface FdbEntry {
  readonly owner: string;
  readonly mac: MacAddress;
  readonly device: string;
  readonly destination: IpAddress;
}

export interface ForwardingEntries {
  readonly routes: readonly RouteEntry[];
  readonly neighbours: readonly NeighbourEntry[];
  readonly fdb: readonly FdbEntry[];
}
