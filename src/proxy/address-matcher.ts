import { type Cidr, cidrContains, type IpFamily, parseIp } from '../base/ip.ts';

/** Tests addresses against blocks; IPv4 without allocating. */
export class AddressMatcher {
  /** Base and mask by turns. */
  readonly #ipv4: readonly number[];
  readonly #ipv6: readonly Cidr[];

  constructor(cidrs: readonly Cidr[]) {
    this.#ipv4 = cidrs.flatMap((cidr) =>
      cidr.family === 'IPv4' ? [cidr.base | 0, maskOf(cidr.prefixLength)] : [],
    );
    this.#ipv6 = cidrs.filter(({ family }) => family === 'IPv6');
  }

  /** False when no block of that family is there to match. */
  covers(family: IpFamily): boolean {
    return (family === 'IPv4' ? this.#ipv4 : this.#ipv6).length > 0;
  }

  /** `address` is canonical text; anything else matches nothing. */
  matches(address: string): boolean {
    if (this.#ipv6.length > 0 && address.includes(':')) {
      const ip = parseIp(address);
      return ip !== undefined && this.#ipv6.some((cidr) => cidrContains(cidr, ip));
    }
    const blocks = this.#ipv4;
    if (blocks.length === 0) return false;
    const value = ipv4Bits(address);
    if (value === undefined) return false;
    for (let index = 0; index < blocks.length; index += 2)
      if ((value & (blocks[index + 1] ?? 0)) === blocks[index]) return true;
    return false;
  }
}

const DOT = 46;
const ZERO = 48;
const NINE = 57;

function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) | 0;
}

/** Dotted decimal as a signed 32-bit integer; undefined for anything else. */
function ipv4Bits(address: string): number | undefined {
  let value = 0;
  let octet = 0;
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === DOT) {
      value = (value << 8) | octet;
      octet = 0;
    } else if (code >= ZERO && code <= NINE) octet = octet * 10 + code - ZERO;
    else return undefined;
  }
  return (value << 8) | octet;
}
