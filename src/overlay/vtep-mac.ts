import type { Random } from '../base/random.ts';
import type { MacAddress } from '../wire/mac.ts';

const GROUP_OR_GLOBAL = 0b11;
const LOCALLY_ADMINISTERED = 0b10;
const OCTETS_AFTER_FIRST = 2 ** 40;
const OCTETS_AFTER_PREFIX = 2 ** 32;

/** A new VTEP's address: locally administered unicast as flannel makes it, or with the prefix of net-conf.json. */
export function generateVtepMac(random: Random, prefix?: string): MacAddress {
  const low = random.uint32();
  if (prefix !== undefined)
    return Number.parseInt(prefix.replace('-', ''), 16) * OCTETS_AFTER_PREFIX + low;
  const first = (random.below(256) & ~GROUP_OR_GLOBAL) | LOCALLY_ADMINISTERED;
  return first * OCTETS_AFTER_FIRST + random.below(256) * OCTETS_AFTER_PREFIX + low;
}
