import { type Cidr, cidrContains, formatCidr, formatIp, type IpAddress } from '../base/ip.ts';
import { AddressRange, addressPlus, firstAddress, lastAddress } from './address-range.ts';

/** One entry of host-local's `ranges`, as configured. */
export interface RangeConfig {
  readonly subnet: Cidr;
  /** Default: the first address after the network's. The network address itself is accepted when given. */
  readonly rangeStart?: IpAddress;
  /** Default: the last before the broadcast (IPv4), the last (IPv6). The broadcast is accepted when given. */
  readonly rangeEnd?: IpAddress;
  /** Default: the first address after the network's. Never handed out. */
  readonly gateway?: IpAddress;
}

/** A checked range: addresses of one subnet, and the gateway that pods of it use. */
export interface PodRange {
  readonly subnet: Cidr;
  readonly addresses: AddressRange;
  readonly gateway: IpAddress;
}

/** Ranges of one family. A pod gets one address from each set it is configured with. */
export type RangeSet = readonly PodRange[];

/**
 * Fills in and checks host-local's `ranges` (containernetworking/plugins ipam/host-local): every subnet has room for
 * two addresses besides network and broadcast, a set has one family, and no two ranges overlap, in a set or between
 * sets. Problems name their place as `ranges[set][range]`; there are no sets when there are problems.
 */
export function parseRangeSets(
  configs: readonly (readonly RangeConfig[])[],
): { kind: 'ok'; sets: RangeSet[] } | { kind: 'invalid'; problems: string[] } {
  const problems: string[] = [];
  const sets = configs.map((set, setIndex) =>
    set.map((config, index) => {
      const range = completed(config);
      const where = `ranges[${setIndex}][${index}]`;
      problems.push(...rangeProblems(config, range).map((problem) => `${where}: ${problem}`));
      return range;
    }),
  );
  for (const [index, set] of sets.entries()) problems.push(...setProblems(set, index));
  problems.push(...overlapProblems(sets));
  return problems.length === 0 ? { kind: 'ok', sets } : { kind: 'invalid', problems };
}

function completed(config: RangeConfig): PodRange {
  const { subnet } = config;
  const second = addressPlus(firstAddress(subnet), 1);
  const last = lastAddress(subnet);
  const end = config.rangeEnd ?? (subnet.family === 'IPv4' ? addressPlus(last, -1) : last);
  return {
    subnet,
    addresses: new AddressRange(config.rangeStart ?? second, end),
    gateway: config.gateway ?? second,
  };
}

function rangeProblems(config: RangeConfig, range: PodRange): string[] {
  const { subnet } = config;
  const longest = subnet.family === 'IPv4' ? 30 : 126;
  if (subnet.prefixLength > longest)
    return [`subnet ${formatCidr(subnet)} is too small: use /${longest} or larger`];
  const outside = (['rangeStart', 'rangeEnd'] as const).flatMap((field) => {
    const address = config[field];
    return address === undefined || cidrContains(subnet, address)
      ? []
      : [`${field} ${formatIp(address)} is not in ${formatCidr(subnet)}`];
  });
  if (config.gateway !== undefined && config.gateway.family !== subnet.family)
    outside.push(`gateway ${formatIp(config.gateway)} is not ${subnet.family} like its subnet`);
  if (outside.length === 0 && range.addresses.size === 0)
    outside.push('rangeStart is above rangeEnd');
  return outside;
}

function setProblems(set: RangeSet, index: number): string[] {
  if (set.length === 0) return [`ranges[${index}]: a range set needs at least one range`];
  const families = new Set(set.map((range) => range.subnet.family));
  return families.size > 1 ? [`ranges[${index}]: a range set has one address family`] : [];
}

function overlapProblems(sets: readonly RangeSet[]): string[] {
  const all = sets.flatMap((set, setIndex) =>
    set.map((range, index) => ({ range, name: `ranges[${setIndex}][${index}]` })),
  );
  return all.flatMap((a, position) =>
    all
      .slice(position + 1)
      .filter((b) => a.range.addresses.overlaps(b.range.addresses))
      .map((b) => `${a.name} overlaps ${b.name}`),
  );
}
