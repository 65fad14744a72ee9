import { type Cidr, formatIp, type IpAddress, type IpFamily } from '../base/ip.ts';

/**
 * No range counts further than this, so that an index is an exact number: of an IPv6 block above /80 only the
 * first 2^48 addresses are handed out.
 */
const MAX_ADDRESSES = 2 ** 48;

/** Consecutive addresses, counted from 0. Translates between addresses and indexes, nothing else. */
export class AddressRange {
  readonly first: IpAddress;
  /** How many addresses, at most 2^48. */
  readonly size: number;

  /** From `first` to `last`, both included. `last` below `first` gives an empty range. */
  constructor(first: IpAddress, last: IpAddress) {
    this.first = first;
    this.size = Math.min(Math.max(distance(first, last) + 1, 0), MAX_ADDRESSES);
  }

  get family(): IpFamily {
    return this.first.family;
  }

  /** undefined when the address is not in the range. */
  indexOf(address: IpAddress): number | undefined {
    if (address.family !== this.family) return undefined;
    const index = distance(this.first, address);
    return index >= 0 && index < this.size ? index : undefined;
  }

  at(index: number): IpAddress {
    return addressPlus(this.first, index);
  }

  overlaps(other: AddressRange): boolean {
    return this.indexOf(other.first) !== undefined || other.indexOf(this.first) !== undefined;
  }

  /** `first-last`. */
  toString(): string {
    return `${formatIp(this.first)}-${formatIp(this.at(this.size - 1))}`;
  }
}

/** The address `count` further on; nobody checks that there is one. */
export function addressPlus(address: IpAddress, count: number): IpAddress {
  return address.family === 'IPv4'
    ? { family: 'IPv4', value: address.value + count }
    : { family: 'IPv6', value: address.value + BigInt(count) };
}

/** The network address. */
export function firstAddress(cidr: Cidr): IpAddress {
  return cidr.family === 'IPv4'
    ? { family: 'IPv4', value: cidr.base }
    : { family: 'IPv6', value: cidr.base };
}

/** The broadcast address, in IPv4. */
export function lastAddress(cidr: Cidr): IpAddress {
  return cidr.family === 'IPv4'
    ? { family: 'IPv4', value: cidr.base + 2 ** (32 - cidr.prefixLength) - 1 }
    : { family: 'IPv6', value: cidr.base + (1n << BigInt(128 - cidr.prefixLength)) - 1n };
}

/** `to - from`, of one family. Distances above 2^53 lose their low bits, which no comparison here looks at. */
function distance(from: IpAddress, to: IpAddress): number {
  if (from.family === 'IPv4' && to.family === 'IPv4') return to.value - from.value;
  return Number(BigInt(to.value) - BigInt(from.value));
}
