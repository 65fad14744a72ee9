import { type Cidr, cidrEncloses, cidrOf, formatCidr, parseIp } from '../../base/ip.ts';

/**
 * An anonymous set of blocks as `nft list` prints it: in order, without blocks that lie in others, hosts
 * without a length, and a set written with one element as that element.
 */
export function addressSet(cidrs: readonly Cidr[]): string {
  const [only] = cidrs;
  if (only !== undefined && cidrs.length === 1) return formatBlock(only);
  const kept = cidrs.filter(
    (cidr, index) =>
      !cidrs.some(
        (other, at) =>
          at !== index && cidrEncloses(other, cidr) && (at < index || !cidrEncloses(cidr, other)),
      ),
  );
  return `{ ${kept.toSorted(byBase).map(formatBlock).join(', ')} }`;
}

/** The block of one address; none for text that is no address. */
export function hostCidr(address: string): Cidr[] {
  const ip = parseIp(address);
  return ip === undefined ? [] : [cidrOf(ip, ip.family === 'IPv4' ? 32 : 128)];
}

function formatBlock(cidr: Cidr): string {
  const hostLength = cidr.family === 'IPv4' ? 32 : 128;
  const text = formatCidr(cidr);
  return cidr.prefixLength === hostLength ? text.slice(0, text.indexOf('/')) : text;
}

function byBase(a: Cidr, b: Cidr): number {
  if (a.base === b.base) return 0;
  return a.base < b.base ? -1 : 1;
}
