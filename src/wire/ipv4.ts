// RFC 791; ECN bits RFC 3168. Options are tolerated on receipt (skipped by length), never written.
import { formatIpv4 } from '../base/ip.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';
import { checksumOf } from './checksum.ts';

export const IPV4_HEADER_BYTES = 20;
export const IPV4_MAX_BYTES = 65_535;

export const IpProtocol = { icmp: 1, tcp: 6, udp: 17 } as const;

const OFFSET = {
  versionAndLength: 0,
  trafficClass: 1,
  totalLength: 2,
  identification: 4,
  fragment: 6,
  ttl: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
} as const;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

export type Ipv4Error =
  | 'truncated'
  | 'bad-version'
  | 'bad-header-length'
  | 'bad-total-length'
  | 'bad-checksum';

/** Mutable: one record is reused for every packet of a hot path. */
export interface Ipv4Header {
  source: number;
  destination: number;
  protocol: number;
  ttl: number;
  /** DSCP and ECN, the whole byte. */
  trafficClass: number;
  identification: number;
  dontFragment: boolean;
  moreFragments: boolean;
  /** Bytes, a multiple of 8. */
  fragmentOffset: number;
  /** 20, or up to 60 with options. Ignored by the encoder. */
  headerBytes: number;
  /** Header and payload. */
  totalBytes: number;
}

export function emptyIpv4(): Ipv4Header {
  return {
    source: 0,
    destination: 0,
    protocol: 0,
    ttl: 64,
    trafficClass: 0,
    identification: 0,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    headerBytes: IPV4_HEADER_BYTES,
    totalBytes: IPV4_HEADER_BYTES,
  };
}

/** Fills `out` from `bytes[from, to)`; bytes after the total length are Ethernet padding. */
export function decodeIpv4(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Ipv4Header,
): Ipv4Error | undefined {
  const error = checkIpv4(bytes, from, to);
  if (error !== undefined) return error;
  const fragment = readUint16(bytes, from + OFFSET.fragment);
  out.source = readUint32(bytes, from + OFFSET.source);
  out.destination = readUint32(bytes, from + OFFSET.destination);
  out.protocol = bytes[from + OFFSET.protocol] as number;
  out.ttl = bytes[from + OFFSET.ttl] as number;
  out.trafficClass = bytes[from + OFFSET.trafficClass] as number;
  out.identification = readUint16(bytes, from + OFFSET.identification);
  out.dontFragment = (fragment & DONT_FRAGMENT) !== 0;
  out.moreFragments = (fragment & MORE_FRAGMENTS) !== 0;
  out.fragmentOffset = (fragment & FRAGMENT_OFFSET) * 8;
  out.headerBytes = headerBytesAt(bytes, from);
  out.totalBytes = readUint16(bytes, from + OFFSET.totalLength);
  return undefined;
}

/** Fills `out` from a packet cut short, as ICMP errors quote it: 20 bytes and a version are enough. */
export function decodeQuotedIpv4(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Ipv4Header,
): 'truncated' | undefined {
  if (to - from < IPV4_HEADER_BYTES || (bytes[from] as number) >> 4 !== 4) return 'truncated';
  const headerBytes = headerBytesAt(bytes, from);
  if (headerBytes < IPV4_HEADER_BYTES || from + headerBytes > to) return 'truncated';
  out.source = readUint32(bytes, from + OFFSET.source);
  out.destination = readUint32(bytes, from + OFFSET.destination);
  out.protocol = bytes[from + OFFSET.protocol] as number;
  out.headerBytes = headerBytes;
  out.totalBytes = readUint16(bytes, from + OFFSET.totalLength);
  out.fragmentOffset = (readUint16(bytes, from + OFFSET.fragment) & FRAGMENT_OFFSET) * 8;
  return undefined;
}

/** Writes {@link IPV4_HEADER_BYTES} at `at`, checksum included. */
export function encodeIpv4(bytes: Uint8Array, at: number, header: Ipv4Header): void {
  bytes[at + OFFSET.versionAndLength] = 0x45;
  bytes[at + OFFSET.trafficClass] = header.trafficClass;
  writeUint16(bytes, at + OFFSET.totalLength, header.totalBytes);
  writeUint16(bytes, at + OFFSET.identification, header.identification);
  const flags =
    (header.dontFragment ? DONT_FRAGMENT : 0) | (header.moreFragments ? MORE_FRAGMENTS : 0);
  writeUint16(bytes, at + OFFSET.fragment, flags | (header.fragmentOffset >> 3));
  bytes[at + OFFSET.ttl] = header.ttl;
  bytes[at + OFFSET.protocol] = header.protocol;
  writeUint16(bytes, at + OFFSET.checksum, 0);
  writeUint32(bytes, at + OFFSET.source, header.source);
  writeUint32(bytes, at + OFFSET.destination, header.destination);
  writeUint16(bytes, at + OFFSET.checksum, checksumOf(bytes, at, at + IPV4_HEADER_BYTES));
}

export function describeIpv4(header: Ipv4Header): string {
  const fragment =
    header.moreFragments || header.fragmentOffset > 0
      ? `, frag ${header.fragmentOffset}${header.moreFragments ? '+' : ''}`
      : '';
  return (
    `IP ${formatIpv4(header.source)} > ${formatIpv4(header.destination)}: ` +
    `proto ${header.protocol}, ttl ${header.ttl}, length ${header.totalBytes}${fragment}`
  );
}

function checkIpv4(bytes: Uint8Array, from: number, to: number): Ipv4Error | undefined {
  if (to - from < IPV4_HEADER_BYTES) return 'truncated';
  if ((bytes[from] as number) >> 4 !== 4) return 'bad-version';
  const headerBytes = headerBytesAt(bytes, from);
  if (headerBytes < IPV4_HEADER_BYTES || from + headerBytes > to) return 'bad-header-length';
  const totalBytes = readUint16(bytes, from + OFFSET.totalLength);
  if (totalBytes < headerBytes || from + totalBytes > to) return 'bad-total-length';
  return checksumOf(bytes, from, from + headerBytes) === 0 ? undefined : 'bad-checksum';
}

function headerBytesAt(bytes: Uint8Array, from: number): number {
  return ((bytes[from] as number) & 15) * 4;
}
