import { formatIp, parseIp, type IpAddress } from '../../base/ip.ts';
import { stringOnWire, unescapeText } from './record-word.ts';

/**
 * Domain names in presentation form (RFC 1035 §5.1): fully qualified with a trailing dot, the root is
 * `.`, letter case kept, special bytes as `\.` or `\DDD`. They compare by {@link foldName}.
 */

/** Longest name on the wire, RFC 1035 §2.3.4. */
export const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;

/** Adds the trailing dot. */
export function fullyQualified(name: string): string {
  return isAbsolute(name) ? name : `${name}.`;
}

function isAbsolute(name: string): boolean {
  return name.endsWith('.') && !name.endsWith('\\.');
}

/** Lower case in ASCII only: DNS compares nothing else case-insensitively (RFC 4343). */
export function foldName(name: string): string {
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code >= 65 && code <= 90) return name.toLowerCase();
  }
  return name;
}

/** Labels from left to right, still escaped; the root has none. */
export function labelsOf(name: string): string[] {
  if (name === '.' || name === '') return [];
  if (!name.includes('\\')) return (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  const labels: string[] = [];
  let start = 0;
  for (let dot = nextDot(name, 0); dot !== -1; dot = nextDot(name, start)) {
    labels.push(name.slice(start, dot));
    start = dot + 1;
  }
  if (start < name.length) labels.push(name.slice(start));
  return labels;
}

/** Index of the first unescaped dot at or after `from`, or -1. */
export function nextDot(name: string, from: number): number {
  for (let index = from; index < name.length; index += 1) {
    const char = name[index];
    if (char === '\\') index += isDigit(name.charCodeAt(index + 1)) ? 3 : 1;
    else if (char === '.') return index;
  }
  return -1;
}

/** The name without its first label; undefined for the root. */
export function parentOf(name: string): string | undefined {
  if (name === '.') return undefined;
  const dot = nextDot(name, 0);
  return dot === -1 || dot === name.length - 1 ? '.' : name.slice(dot + 1);
}

/** True when `name` is `zone` or below it. Both folded. */
export function isSubdomain(zone: string, name: string): boolean {
  if (zone === '.') return true;
  if (!name.endsWith(zone)) return false;
  if (name.length === zone.length) return true;
  const dot = name.length - zone.length - 1;
  return name[dot] === '.' && name[dot - 1] !== '\\';
}

/** The longest of `zones` that holds `name`. All folded. */
export function matchingZone(zones: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const zone of zones)
    if (isSubdomain(zone, name) && (best === undefined || zone.length > best.length)) best = zone;
  return best;
}

/** `labels` in front of `zone`. */
export function joinName(labels: string, zone: string): string {
  if (zone === '.') return `${labels}.`;
  return `${labels}.${zone}`;
}

/** Why text is not a usable domain name, or undefined when it is. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name === '.') return undefined;
  let total = 1;
  for (const label of labelsOf(name)) {
    const bytes = labelBytes(label);
    if (bytes === 0) return 'has an empty label';
    if (bytes > MAX_LABEL_BYTES) return `has a label longer than ${MAX_LABEL_BYTES} bytes`;
    total += bytes + 1;
  }
  return total > MAX_NAME_BYTES ? `is longer than ${MAX_NAME_BYTES} bytes` : undefined;
}

/** `10.0.0.1` as `1.0.0.10.in-addr.arpa.`; IPv6 by nibbles under ip6.arpa. */
export function reverseName(ip: IpAddress): string {
  if (ip.family === 'IPv4') {
    const octets = formatIp(ip).split('.');
    return `${octets.toReversed().join('.')}.in-addr.arpa.`;
  }
  const nibbles = ip.value.toString(16).padStart(32, '0');
  return `${nibbles.split('').toReversed().join('.')}.ip6.arpa.`;
}

/** The address a folded reverse name stands for; undefined unless it is complete. */
export function addressOfReverseName(name: string): string | undefined {
  if (name.endsWith('.in-addr.arpa.')) {
    const octets = name.slice(0, -'.in-addr.arpa.'.length).split('.');
    const ip = octets.length === 4 ? parseIp(octets.toReversed().join('.')) : undefined;
    return ip === undefined ? undefined : formatIp(ip);
  }
  if (!name.endsWith('.ip6.arpa.')) return undefined;
  const nibbles = name.slice(0, -'.ip6.arpa.'.length).split('.').toReversed().join('');
  if (!/^[0-9a-f]{32}$/.test(nibbles) || name.length !== 73) return undefined;
  return formatIp({ family: 'IPv6', value: BigInt(`0x${nibbles}`) });
}

export function isReverseName(name: string): boolean {
  return isSubdomain('in-addr.arpa.', name) || isSubdomain('ip6.arpa.', name);
}

/** Length on the wire, uncompressed. */
export function nameBytes(name: string): number {
  if (name === '.') return 1;
  if (!name.includes('\\')) return name.length + 1;
  return labelsOf(name).reduce((sum, label) => sum + 1 + labelBytes(label), 1);
}

function labelBytes(label: string): number {
  if (!label.includes('\\')) return label.length;
  let bytes = 0;
  for (let index = 0; index < label.length; index += 1) {
    if (label[index] === '\\') index += isDigit(label.charCodeAt(index + 1)) ? 3 : 1;
    bytes += 1;
  }
  return bytes;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** `@` is the origin, a name without a trailing dot is relative to it. Throws an Error for what is no name. */
export function absoluteName(text: string, origin: string): string {
  if (text === '@') return origin;
  const name = isAbsolute(text) || origin === '.' ? fullyQualified(text) : `${text}.${origin}`;
  const problem = nameProblem(name);
  if (problem !== undefined) throw new Error(`name '${text}' ${problem}`);
  return name;
}

/** Uncompressed, as inside the data of types that receivers may not know (RFC 3597 §4). */
export function nameOnWire(name: string): Buffer {
  const labels = labelsOf(name).map((label) => stringOnWire(unescapeText(label)));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}
