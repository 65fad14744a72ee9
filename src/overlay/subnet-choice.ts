import { type Cidr, cidrOf, type IpAddress } from '../base/ip.ts';
import type { Random } from '../base/random.ts';
import type { FamilyConf } from './net-conf-family.ts';
import type { SubnetOwners } from './subnet-owners.ts';

/** flannel picks among this many, so that nodes that start together seldom pick the same. */
const CANDIDATES = 100;

/** True when the subnet is one that this configuration would lease. */
export function fitsConf(subnet: Cidr, conf: FamilyConf): boolean {
  return (
    subnet.family === conf.network.family &&
    subnet.prefixLength === conf.subnetLen &&
    BigInt(subnet.base) >= BigInt(conf.subnetMin.value) &&
    BigInt(subnet.base) <= BigInt(conf.subnetMax.value)
  );
}

/** One of the first hundred free subnets, or undefined when all are leased. */
export function chooseSubnet(
  conf: FamilyConf,
  taken: SubnetOwners,
  random: Random,
): Cidr | undefined {
  const free: Cidr[] = [];
  for (const subnet of subnetsOf(conf)) {
    if (taken.overlapping(subnet) === undefined) free.push(subnet);
    if (free.length === CANDIDATES) break;
  }
  return free.length === 0 ? undefined : free[random.below(free.length)];
}

function* subnetsOf(conf: FamilyConf): Generator<Cidr, void> {
  const { family } = conf.network;
  const size = 1n << BigInt((family === 'IPv4' ? 32 : 128) - conf.subnetLen);
  const last = BigInt(conf.subnetMax.value);
  for (let base = BigInt(conf.subnetMin.value); base <= last; base += size) {
    const address: IpAddress =
      family === 'IPv4' ? { family, value: Number(base) } : { family, value: base };
    yield cidrOf(address, conf.subnetLen);
  }
}
