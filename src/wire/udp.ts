// RFC 768.
import { readUint16, writeUint16 } from './bytes.ts';
import { addSums, sumOf } from './checksum.ts';

export const UDP_HEADER_BYTES = 8;

const OFFSET = { sourcePort: 0, destinationPort: 2, length: 4, checksum: 6 } as const;

export interface UdpHeader {
  sourcePort: number;
  destinationPort: number;
  /** Header and payload. */
  lengthBytes: number;
  /** As on the wire; 0 means the sender computed none. */
  checksum: number;
}

export function emptyUdp(): UdpHeader {
  return { sourcePort: 0, destinationPort: 0, lengthBytes: UDP_HEADER_BYTES, checksum: 0 };
}

/** Fills `out` from `bytes[from, to)`. The checksum is the caller's: it needs the addresses. */
export function decodeUdp(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: UdpHeader,
): 'truncated' | 'bad-length' | undefined {
  if (to - from < UDP_HEADER_BYTES) return 'truncated';
  const lengthBytes = readUint16(bytes, from + OFFSET.length);
  if (lengthBytes < UDP_HEADER_BYTES || from + lengthBytes > to) return 'bad-length';
  out.sourcePort = readUint16(bytes, from + OFFSET.sourcePort);
  out.destinationPort = readUint16(bytes, from + OFFSET.destinationPort);
  out.lengthBytes = lengthBytes;
  out.checksum = readUint16(bytes, from + OFFSET.checksum);
  return undefined;
}

/**
 * Writes the header at `at`; the payload must already follow it. `pseudoSum` is
 * {@link pseudoHeaderSum} over the addresses and `header.lengthBytes`. `header.checksum` is ignored.
 */
export function encodeUdp(
  bytes: Uint8Array,
  at: number,
  header: UdpHeader,
  pseudoSum: number,
): void {
  writeUint16(bytes, at + OFFSET.sourcePort, header.sourcePort);
  writeUint16(bytes, at + OFFSET.destinationPort, header.destinationPort);
  writeUint16(bytes, at + OFFSET.length, header.lengthBytes);
  writeUint16(bytes, at + OFFSET.checksum, 0);
  const checksum = ~addSums(pseudoSum, sumOf(bytes, at, at + header.lengthBytes)) & 0xffff;
  // A computed 0 is sent as its other representation: 0 means "none".
  writeUint16(bytes, at + OFFSET.checksum, checksum === 0 ? 0xffff : checksum);
}

export function describeUdp(header: UdpHeader): string {
  const payloadBytes = header.lengthBytes - UDP_HEADER_BYTES;
  return `UDP ${header.sourcePort} > ${header.destinationPort}, length ${payloadBytes}`;
}
