import { formatIp } from '../base/ip.ts';
import { LEASE_FAMILIES, type Lease } from './lease.ts';
import type { LinkFaults } from './link-faults.ts';
import type { LinkDirection, LinkShaper } from './link-shaper.ts';

/** Faults of the links with one node or, for `*`, with all that have none of their own. */
export interface PlannedFaults {
  readonly node: string;
  readonly direction: LinkDirection;
  readonly faults: LinkFaults;
}

export const EVERY_NODE = '*';

/**
 * Faults by the names of nodes, which stay when a node comes back with another address. A name that no lease has yet
 * waits for it.
 */
export class FaultPlan {
  readonly #planned = new Map<string, PlannedFaults>();
  /** What the shaper was told, to be taken back. */
  #applied: readonly { readonly peer: string; readonly direction: LinkDirection }[] = [];

  /** Undefined heals. */
  set(node: string, direction: LinkDirection, faults: LinkFaults | undefined): void {
    const key = `${direction} ${node}`;
    if (faults === undefined) this.#planned.delete(key);
    else this.#planned.set(key, { node, direction, faults });
  }

  clear(): void {
    this.#planned.clear();
  }

  list(): PlannedFaults[] {
    return [...this.#planned.values()];
  }

  /** Tells the shaper, which knows nodes by their public addresses. */
  apply(shaper: LinkShaper, leases: readonly Lease[]): void {
    const wanted = this.list().flatMap(({ node, direction, faults }) =>
      addressesOf(node, leases).map((peer) => ({ peer, direction, faults })),
    );
    for (const { peer, direction } of this.#applied) shaper.setFaults(peer, direction, undefined);
    for (const { peer, direction, faults } of wanted) shaper.setFaults(peer, direction, faults);
    this.#applied = wanted;
  }
}

function addressesOf(node: string, leases: readonly Lease[]): string[] {
  if (node === EVERY_NODE) return [EVERY_NODE];
  const lease = leases.find((each) => each.node === node);
  return LEASE_FAMILIES.flatMap(({ key }) => {
    const publicIp = lease?.[key]?.publicIp;
    return publicIp === undefined ? [] : [formatIp(publicIp)];
  });
}
