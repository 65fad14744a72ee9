import { IPv6 } from 'ip-num';

/**
 * IP addresses and CIDRs as plain integers: IPv4 as an unsigned 32-bit number, IPv6 as a 128-bit bigint.
 * Text is parsed at the edge, once.
 */
export type IpAddress =
  | { readonly family: 'IPv4'; readonly value: number }
  | { readonly family: 'IPv6'; readonly value: bigint };

export type IpFamily = IpAddress['family'];

/** A block of addresses; `base` has no host bits. */
export type Cidr =
  | { readonly family: 'IPv4'; readonly base: number; readonly prefixLength: number }
  | { readonly family: 'IPv6'; readonly base: bigint; readonly prefixLength: number };

export type Ipv4Cidr = Extract<Cidr, { family: 'IPv4' }>;

const OCTET = /^(?:0|[1-9]\d{0,2})$/;

/** Dotted decimal to an unsigned integer; undefined for anything else, also for leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const octets = text.split('.');
  if (octets.length !== 4) return undefined;
  let value = 0;
  for (const octet of octets) {
    if (!OCTET.test(octet)) return undefined;
    const byte = Number(octet);
    if (byte > 255) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

/** Dotted decimal of the low 32 bits. */
export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** An address of either family; undefined for anything else, also for zones (`%eth0`) and leading zeros. */
export function parseIp(text: string): IpAddress | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return { family: 'IPv4', value: ipv4 };
  if (!text.includes(':') || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const expanded = expandEmbeddedIpv4(text);
  if (expanded === undefined) return undefined;
  try {
    return { family: 'IPv6', value: IPv6.fromString(expanded).value };
  } catch {
    return undefined;
  }
}

/** Canonical text: dotted decimal, or RFC 5952 for IPv6. */
export function formatIp(ip: IpAddress): string {
  return ip.family === 'IPv4' ? formatIpv4(ip.value) : formatIpv6(ip.value);
}

/** `a.b.c.d/len` or its IPv6 form. Host bits are an error (undefined) unless `allowHostBits`. */
export function parseCidr(
  text: string,
  options: { allowHostBits?: boolean } = {},
): Cidr | undefined {
  const [address, length, rest] = text.split('/');
  if (address === undefined || length === undefined || rest !== undefined) return undefined;
  const ip = parseIp(address);
  if (ip === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefixLength = Number(length);
  if (prefixLength > (ip.family === 'IPv4' ? 32 : 128)) return undefined;
  const cidr = cidrOf(ip, prefixLength);
  return options.allowHostBits === true || cidr.base === ip.value ? cidr : undefined;
}

/** The block of `prefixLength` bits that holds `ip`. */
export function cidrOf(ip: IpAddress, prefixLength: number): Cidr {
  if (ip.family === 'IPv4') {
    const mask = prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0;
    return { family: 'IPv4', base: (ip.value & mask) >>> 0, prefixLength };
  }
  const hostBits = BigInt(128 - prefixLength);
  return { family: 'IPv6', base: (ip.value >> hostBits) << hostBits, prefixLength };
}

/** `a.b.c.d/len`, or RFC 5952 with `/len`. */
export function formatCidr(cidr: Cidr): string {
  const base = cidr.family === 'IPv4' ? formatIpv4(cidr.base) : formatIpv6(cidr.base);
  return `${base}/${cidr.prefixLength}`;
}

/** False also where the families differ. */
export function cidrContains(cidr: Cidr, ip: IpAddress): boolean {
  return cidr.family === ip.family && cidrOf(ip, cidr.prefixLength).base === cidr.base;
}

/** True when every address of `inner` is in `outer`. */
export function cidrEncloses(outer: Cidr, inner: Cidr): boolean {
  return (
    outer.prefixLength <= inner.prefixLength &&
    cidrContains(outer, { family: inner.family, value: inner.base } as IpAddress)
  );
}

/** True when some address is in both; never for different families. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrEncloses(a, b) || cidrEncloses(b, a);
}

/** The `index`-th address of an IPv4 block, counting its network address as 0. */
export function nthIpv4(cidr: Ipv4Cidr, index: number): string {
  return formatIpv4(cidr.base + index);
}

/** `host:port`, with IPv6 hosts in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function expandEmbeddedIpv4(text: string): string | undefined {
  if (!text.includes('.')) return text;
  const at = text.lastIndexOf(':') + 1;
  const ipv4 = parseIpv4(text.slice(at));
  if (ipv4 === undefined) return undefined;
  return `${text.slice(0, at)}${(ipv4 >>> 16).toString(16)}:${(ipv4 & 0xffff).toString(16)}`;
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  const run = longestZeroRun(groups);
  if (run.length < 2) return groups.join(':');
  const head = groups.slice(0, run.start).join(':');
  const tail = groups.slice(run.start + run.length).join(':');
  return `${head}::${tail}`;
}

function longestZeroRun(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index += 1) {
    if (groups[index] === '0') continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}
