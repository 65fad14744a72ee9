import { parseCidr, type Cidr, type IpAddress } from '../../base/ip.ts';
import { foldName, fullyQualified, nameProblem, reverseName } from '../message/name.ts';
import { CorefileError, type Position } from './corefile-error.ts';

export const DEFAULT_DNS_PORT = 53;

/** A zone and the port it is served on: one key of a server block. */
export interface ZoneKey {
  /** Folded, fully qualified. */
  readonly zone: string;
  readonly port: number;
}

const OTHER_TRANSPORTS = ['tls', 'grpc', 'https', 'https3', 'quic', 'unix'];

/**
 * `[dns://]ZONE[:PORT]`. A CIDR stands for its reverse zones; one whose mask is not on an octet (IPv4) or
 * nibble (IPv6) boundary stands for several.
 */
export function parseZoneKey(text: string, position: Position): ZoneKey[] {
  const [, scheme, rest = ''] = /^(?:([a-z0-9]+):\/\/)?(.*)$/.exec(text) ?? [];
  if (scheme !== undefined && scheme !== 'dns')
    throw new CorefileError(
      position,
      OTHER_TRANSPORTS.includes(scheme)
        ? `transport '${scheme}' is not served here; expected 'dns://' or no scheme`
        : `unknown transport '${scheme}'; expected 'dns://'`,
    );
  const [, host = '', portText] = /^(.*?)(?::(\d+))?$/.exec(rest) ?? [];
  const port = portText === undefined ? DEFAULT_DNS_PORT : Number(portText);
  if (port < 1 || port > 65_535)
    throw new CorefileError(position, `port ${port} is out of range; expected 1 to 65535`);
  return parseZones(host === '' ? '.' : host, position).map((zone) => ({ zone, port }));
}

/** One zone argument of a plugin: a name or a CIDR. */
export function parseZones(text: string, position: Position): string[] {
  const cidr = text.includes('/') ? parseCidr(text, { allowHostBits: true }) : undefined;
  if (cidr !== undefined) return reverseZones(cidr);
  const zone = foldName(fullyQualified(text));
  const problem = text.includes('/') ? 'is not a CIDR' : nameProblem(zone);
  if (problem !== undefined)
    throw new CorefileError(
      position,
      `zone '${text}' ${problem}; expected a domain name or a CIDR`,
    );
  return [zone];
}

/** The in-addr.arpa or ip6.arpa zones that cover exactly this block. */
function reverseZones(cidr: Cidr): string[] {
  const bitsPerLabel = cidr.family === 'IPv4' ? 8 : 4;
  const maxLabels = cidr.family === 'IPv4' ? 4 : 32;
  const labels = Math.ceil(cidr.prefixLength / bitsPerLabel);
  const spread = labels * bitsPerLabel - cidr.prefixLength;
  return Array.from({ length: 2 ** spread }, (_, index) => {
    const full = reverseName(nthBlock(cidr, index, maxLabels - labels)).split('.');
    return full.slice(maxLabels - labels).join('.');
  });
}

function nthBlock(cidr: Cidr, index: number, hostLabels: number): IpAddress {
  if (cidr.family === 'IPv4')
    return { family: 'IPv4', value: (cidr.base + index * 2 ** (8 * hostLabels)) >>> 0 };
  return { family: 'IPv6', value: cidr.base + (BigInt(index) << BigInt(4 * hostLabels)) };
}
