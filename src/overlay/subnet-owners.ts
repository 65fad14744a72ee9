import { type Cidr, cidrEncloses, cidrOf } from '../base/ip.ts';
import { firstAddress } from '../ipam/address-range.ts';

export interface OwnedSubnet {
  readonly owner: string;
  readonly subnet: Cidr;
}

/** Disjoint subnets with their owners. Finding an overlap takes one look-up a prefix length while all are of one. */
export class SubnetOwners {
  readonly #byLength = new Map<number, Map<Cidr['base'], OwnedSubnet>>();

  add(owned: OwnedSubnet): void {
    const { prefixLength, base } = owned.subnet;
    const subnets = this.#byLength.get(prefixLength) ?? new Map<Cidr['base'], OwnedSubnet>();
    subnets.set(base, owned);
    this.#byLength.set(prefixLength, subnets);
  }

  overlapping(subnet: Cidr): OwnedSubnet | undefined {
    for (const [length, subnets] of this.#byLength) {
      const found =
        length <= subnet.prefixLength
          ? subnets.get(cidrOf(firstAddress(subnet), length).base)
          : [...subnets.values()].find((owned) => cidrEncloses(subnet, owned.subnet));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
