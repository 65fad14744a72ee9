import { type Cidr, formatIp, type IpFamily, parseCidr, parseIp } from '../base/ip.ts';
import { firstAddress } from '../ipam/address-range.ts';
import { formatVtepData, parseVtepData } from './backend-data.ts';
import type { Lease, LeasePart } from './lease.ts';

/** `10.244.1.0-24`, with both families `10.244.1.0-24&fd00:0:0:1::-64`: flannel's key of a lease. */
export function formatLeaseKey(subnets: readonly Cidr[]): string {
  return subnets
    .map((subnet) => `${formatIp(firstAddress(subnet))}-${subnet.prefixLength}`)
    .join('&');
}

/** The value that goes with {@link formatLeaseKey}. */
export function formatLeaseValue(lease: Lease): string {
  const { ipv4, ipv6 } = lease;
  return JSON.stringify({
    PublicIP: ipv4 === undefined ? '0.0.0.0' : formatIp(ipv4.publicIp),
    PublicIPv6: ipv6 === undefined ? null : formatIp(ipv6.publicIp),
    BackendType: lease.backendType,
    ...(ipv4 === undefined
      ? {}
      : { BackendData: JSON.parse(formatVtepData(ipv4.vtep)) as unknown }),
    ...(ipv6 === undefined
      ? {}
      : { BackendV6Data: JSON.parse(formatVtepData(ipv6.vtep)) as unknown }),
  });
}

/** Undefined for a key or a value that flannel would not have written. The node's name is its public address. */
export function parseEtcdLease(key: string, value: string): Lease | undefined {
  const subnets = parseLeaseKey(key);
  const json = parseObject(value);
  if (subnets === undefined || json === undefined) return undefined;
  const parts: { ipv4?: LeasePart; ipv6?: LeasePart } = {};
  for (const subnet of subnets) {
    const isIpv4 = subnet.family === 'IPv4';
    const publicIp = parseAddress(json[isIpv4 ? 'PublicIP' : 'PublicIPv6'], subnet.family);
    if (publicIp === undefined) return undefined;
    const vtep = parseVtepData(json[isIpv4 ? 'BackendData' : 'BackendV6Data']);
    parts[isIpv4 ? 'ipv4' : 'ipv6'] =
      vtep === undefined ? { subnet, publicIp } : { subnet, publicIp, vtep };
  }
  const first = parts.ipv4 ?? parts.ipv6;
  const backendType = json['BackendType'];
  if (first === undefined || typeof backendType !== 'string') return undefined;
  return { node: formatIp(first.publicIp), backendType, ...parts };
}

function parseLeaseKey(key: string): Cidr[] | undefined {
  const cidrs = key.split('&').map((text) => {
    const dash = text.lastIndexOf('-');
    return parseCidr(`${text.slice(0, dash)}/${text.slice(dash + 1)}`);
  });
  return cidrs.every((cidr) => cidr !== undefined) ? cidrs : undefined;
}

function parseObject(value: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(value);
    return typeof json === 'object' && json !== null
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function parseAddress(text: unknown, family: IpFamily) {
  const address = typeof text === 'string' ? parseIp(text) : undefined;
  return address?.family === family ? address : undefined;
}
