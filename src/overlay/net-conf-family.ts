import {
  type Cidr,
  cidrContains,
  cidrOf,
  formatCidr,
  formatIp,
  type IpAddress,
  type IpFamily,
  parseCidr,
  parseIp,
} from '../base/ip.ts';
import { addressPlus, firstAddress, lastAddress } from '../ipam/address-range.ts';
import type { JsonObject } from './case-folded.ts';

/** The pod network of one family, and the subnets that nodes lease from it. */
export interface FamilyConf {
  readonly network: Cidr;
  readonly subnetLen: number;
  /** The first and the last subnet that may be leased, by their network address. */
  readonly subnetMin: IpAddress;
  readonly subnetMax: IpAddress;
}

interface FamilyRules {
  readonly keys: {
    readonly network: string;
    readonly len: string;
    readonly min: string;
    readonly max: string;
  };
  readonly addressBits: number;
  /** Longest SubnetLen that leaves room for pods. */
  readonly longestSubnet: number;
  /** Networks with room for four subnets of the default length get that. */
  readonly defaultSubnet: number;
}

const RULES: Readonly<Record<IpFamily, FamilyRules>> = {
  IPv4: {
    keys: { network: 'Network', len: 'SubnetLen', min: 'SubnetMin', max: 'SubnetMax' },
    addressBits: 32,
    longestSubnet: 30,
    defaultSubnet: 24,
  },
  IPv6: {
    keys: {
      network: 'IPv6Network',
      len: 'IPv6SubnetLen',
      min: 'IPv6SubnetMin',
      max: 'IPv6SubnetMax',
    },
    addressBits: 128,
    longestSubnet: 126,
    defaultSubnet: 64,
  },
};

/** flannel leases the second of at least four subnets at the earliest, so a subnet is 2 bits longer. */
const MIN_SUBNET_BITS = 2;

export function parseFamily(
  json: JsonObject,
  family: IpFamily,
  problems: string[],
): FamilyConf | undefined {
  const rules = RULES[family];
  const network = parseNetwork(json, family, rules, problems);
  if (network === undefined) return undefined;
  const subnetLen = parseSubnetLen(json, network, rules, problems);
  if (subnetLen === undefined) return undefined;
  const bounds = { network, subnetLen, problems };
  const subnetSize = 2n ** BigInt(rules.addressBits - subnetLen);
  const first = firstAddress(network);
  const subnetMin = parseBound(json, rules.keys.min, plus(first, subnetSize), bounds);
  const lastSubnet = cidrOf(lastAddress(network), subnetLen);
  const subnetMax = parseBound(json, rules.keys.max, firstAddress(lastSubnet), bounds);
  if (BigInt(subnetMin.value) > BigInt(subnetMax.value))
    problems.push(`${rules.keys.min}: ${formatIp(subnetMin)} is above ${rules.keys.max}`);
  return { network, subnetLen, subnetMin, subnetMax };
}

function parseNetwork(
  json: JsonObject,
  family: IpFamily,
  rules: FamilyRules,
  problems: string[],
): Cidr | undefined {
  const key = rules.keys.network;
  const before = problems.length;
  const text = json.string(key, undefined, problems);
  if (text === undefined) {
    if (problems.length === before)
      problems.push(`${key}: missing; set it, for example to ${example(family)}`);
    return undefined;
  }
  const network = parseCidr(text, { allowHostBits: true });
  if (network?.family === family) return network;
  problems.push(`${key}: "${text}" is no ${family} CIDR such as ${example(family)}`);
  return undefined;
}

function parseSubnetLen(
  json: JsonObject,
  network: Cidr,
  rules: FamilyRules,
  problems: string[],
): number | undefined {
  const { network: networkKey, len: key } = rules.keys;
  const shortest = network.prefixLength + MIN_SUBNET_BITS;
  const given = json.unsigned(key, rules.addressBits, 0, problems);
  if (given === 0) {
    if (shortest <= rules.longestSubnet) return Math.max(shortest, rules.defaultSubnet);
    const largest = rules.longestSubnet - MIN_SUBNET_BITS;
    problems.push(`${networkKey}: ${formatCidr(network)} is too small: use /${largest} or larger`);
    return undefined;
  }
  if (given > rules.longestSubnet) {
    problems.push(`${key}: ${given} leaves no room for pods: use ${rules.longestSubnet} or less`);
    return undefined;
  }
  if (given < shortest) {
    problems.push(
      `${key}: ${formatCidr(network)} must have room for at least four subnets: use ${shortest} or more`,
    );
    return undefined;
  }
  return given;
}

function parseBound(
  json: JsonObject,
  key: string,
  fallback: IpAddress,
  bounds: { network: Cidr; subnetLen: number; problems: string[] },
): IpAddress {
  const { network, subnetLen, problems } = bounds;
  const text = json.string(key, undefined, problems);
  if (text === undefined) return fallback;
  const address = parseIp(text);
  if (address === undefined || !cidrContains(network, address)) {
    problems.push(`${key}: "${text}" is not in ${formatCidr(network)}`);
    return fallback;
  }
  const subnet = cidrOf(address, subnetLen);
  if (subnet.base === address.value) return address;
  problems.push(
    `${key}: ${text} is not on a /${subnetLen} boundary: ${formatIp(firstAddress(subnet))} is`,
  );
  return fallback;
}

function plus(address: IpAddress, count: bigint): IpAddress {
  return address.family === 'IPv4'
    ? addressPlus(address, Number(count))
    : { family: 'IPv6', value: address.value + count };
}

function example(family: IpFamily): string {
  return family === 'IPv4' ? '10.244.0.0/16' : 'fd00:10:244::/48';
}
