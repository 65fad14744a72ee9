import { type Cidr, type IpAddress, parseCidr, parseIp } from '../../src/base/ip.ts';

/** The address a test wrote down; throws when it is none. */
export function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

/** The block a test wrote down; throws when it is none. */
export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`${text} is no CIDR`);
  return parsed;
}
