// RFC 9293 §3.1; options: MSS (RFC 9293 §3.7.1), window scale and timestamps (RFC 7323), SACK (RFC 2018).
import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';
import { addSums, sumOf } from './checksum.ts';

export const TCP_HEADER_BYTES = 20;
/** Two NOPs and the option: what Linux sends, and what keeps the payload 4-byte aligned. */
export const TCP_TIMESTAMP_BYTES = 12;

export const TcpFlag = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
} as const;

const OFFSET = {
  sourcePort: 0,
  destinationPort: 2,
  seq: 4,
  ack: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgent: 18,
  options: 20,
} as const;

const OptionKind = {
  end: 0,
  nop: 1,
  mss: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
} as const;

const MAX_SACK_BLOCKS = 4;

/**
 * Mutable: one record is reused for every segment of a hot path. Sequence numbers are unsigned 32-bit.
 * Option fields hold what their `has…` flag or count says and are stale otherwise.
 */
export interface TcpHeader {
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  /** A set of {@link TcpFlag}. */
  flags: number;
  /** As on the wire, before scaling. */
  window: number;
  /** 20, or up to 60 with options. Set by decode and returned by encode. */
  headerBytes: number;
  /** 0 when absent. A peer that sends 0 is treated as one that sends none. */
  mss: number;
  /** -1 when absent. */
  windowScale: number;
  sackPermitted: boolean;
  hasTimestamps: boolean;
  timestampValue: number;
  timestampEcho: number;
  /** 0..4 blocks in {@link sackEdges}. */
  sackCount: number;
  /** Left and right edges, alternating. */
  readonly sackEdges: Uint32Array;
}

export function emptyTcp(): TcpHeader {
  return {
    sourcePort: 0,
    destinationPort: 0,
    seq: 0,
    ack: 0,
    flags: 0,
    window: 0,
    headerBytes: TCP_HEADER_BYTES,
    mss: 0,
    windowScale: -1,
    sackPermitted: false,
    hasTimestamps: false,
    timestampValue: 0,
    timestampEcho: 0,
    sackCount: 0,
    sackEdges: new Uint32Array(2 * MAX_SACK_BLOCKS),
  };
}

export type TcpError = 'truncated' | 'bad-data-offset' | 'bad-option';

/** Fills `out` from `bytes[from, to)`. The checksum is the caller's: it needs the addresses. */
export function decodeTcp(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: TcpHeader,
): TcpError | undefined {
  if (to - from < TCP_HEADER_BYTES) return 'truncated';
  const headerBytes = ((bytes[from + OFFSET.dataOffset] as number) >> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || from + headerBytes > to) return 'bad-data-offset';
  out.sourcePort = readUint16(bytes, from + OFFSET.sourcePort);
  out.destinationPort = readUint16(bytes, from + OFFSET.destinationPort);
  out.seq = readUint32(bytes, from + OFFSET.seq);
  out.ack = readUint32(bytes, from + OFFSET.ack);
  out.flags = bytes[from + OFFSET.flags] as number;
  out.window = readUint16(bytes, from + OFFSET.window);
  out.headerBytes = headerBytes;
  out.mss = 0;
  out.windowScale = -1;
  out.sackPermitted = false;
  out.hasTimestamps = false;
  out.sackCount = 0;
  return decodeOptions(bytes, from + OFFSET.options, from + headerBytes, out);
}

/** How many bytes {@link encodeTcp} will write for these fields. */
export function tcpHeaderBytes(header: TcpHeader): number {
  return (
    TCP_HEADER_BYTES +
    (header.mss > 0 ? 4 : 0) +
    (header.windowScale >= 0 ? 4 : 0) +
    (header.sackPermitted ? 4 : 0) +
    (header.hasTimestamps ? TCP_TIMESTAMP_BYTES : 0) +
    (header.sackCount > 0 ? 4 + 8 * header.sackCount : 0)
  );
}

/**
 * Writes the header at `at` and returns its length; the payload must already be in
 * `bytes[at + tcpHeaderBytes(header), to)`. `pseudoSum` is {@link pseudoHeaderSum} over the addresses and
 * `to - at`. Options are padded with leading NOPs, each to a multiple of four.
 */
export function encodeTcp(
  bytes: Uint8Array,
  at: number,
  to: number,
  header: TcpHeader,
  pseudoSum: number,
): number {
  const end = encodeOptions(bytes, at + OFFSET.options, header);
  writeUint16(bytes, at + OFFSET.sourcePort, header.sourcePort);
  writeUint16(bytes, at + OFFSET.destinationPort, header.destinationPort);
  writeUint32(bytes, at + OFFSET.seq, header.seq);
  writeUint32(bytes, at + OFFSET.ack, header.ack);
  bytes[at + OFFSET.dataOffset] = ((end - at) >> 2) << 4;
  bytes[at + OFFSET.flags] = header.flags;
  writeUint16(bytes, at + OFFSET.window, header.window);
  writeUint16(bytes, at + OFFSET.checksum, 0);
  writeUint16(bytes, at + OFFSET.urgent, 0);
  writeUint16(bytes, at + OFFSET.checksum, ~addSums(pseudoSum, sumOf(bytes, at, to)) & 0xffff);
  return end - at;
}

/** The checksum field as on the wire, for recognising sums left to offload. */
export function tcpChecksumAt(bytes: Uint8Array, at: number): number {
  return readUint16(bytes, at + OFFSET.checksum);
}

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [TcpFlag.fin, 'F'],
  [TcpFlag.syn, 'S'],
  [TcpFlag.rst, 'R'],
  [TcpFlag.psh, 'P'],
  [TcpFlag.ack, '.'],
  [TcpFlag.urg, 'U'],
  [TcpFlag.ece, 'E'],
  [TcpFlag.cwr, 'W'],
];

/** tcpdump's wording, with absolute sequence numbers. */
export function describeTcp(header: TcpHeader, payloadBytes: number): string {
  const flags = FLAG_LETTERS.filter(([bit]) => (header.flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');
  const range = payloadBytes > 0 ? `${header.seq}:${header.seq + payloadBytes}` : `${header.seq}`;
  const ack = (header.flags & TcpFlag.ack) === 0 ? '' : `, ack ${header.ack}`;
  const options = describeOptions(header);
  return (
    `TCP ${header.sourcePort} > ${header.destinationPort}: Flags [${flags}], seq ${range}${ack}, ` +
    `win ${header.window}${options === '' ? '' : `, options [${options}]`}, length ${payloadBytes}`
  );
}

function describeOptions(header: TcpHeader): string {
  const options: string[] = [];
  if (header.mss > 0) options.push(`mss ${header.mss}`);
  if (header.sackPermitted) options.push('sackOK');
  if (header.hasTimestamps)
    options.push(`TS val ${header.timestampValue} ecr ${header.timestampEcho}`);
  if (header.windowScale >= 0) options.push(`wscale ${header.windowScale}`);
  for (let block = 0; block < header.sackCount; block += 1)
    options.push(`sack {${header.sackEdges[2 * block]}:${header.sackEdges[2 * block + 1]}}`);
  return options.join(',');
}

function decodeOptions(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: TcpHeader,
): 'bad-option' | undefined {
  let at = from;
  while (at < to) {
    const kind = bytes[at] as number;
    if (kind === OptionKind.end) return undefined;
    if (kind === OptionKind.nop) {
      at += 1;
      continue;
    }
    const length = at + 1 < to ? (bytes[at + 1] as number) : 0;
    if (length < 2 || at + length > to) return 'bad-option';
    decodeOption(bytes, at, kind, length, out);
    at += length;
  }
  return undefined;
}

/** A known kind with a wrong length is skipped like an unknown one, as Linux does. */
function decodeOption(
  bytes: Uint8Array,
  at: number,
  kind: number,
  length: number,
  out: TcpHeader,
): void {
  if (kind === OptionKind.timestamps && length === 10) {
    out.hasTimestamps = true;
    out.timestampValue = readUint32(bytes, at + 2);
    out.timestampEcho = readUint32(bytes, at + 6);
  } else if (kind === OptionKind.sack && length >= 10 && (length - 2) % 8 === 0) {
    out.sackCount = Math.min((length - 2) / 8, MAX_SACK_BLOCKS);
    for (let edge = 0; edge < 2 * out.sackCount; edge += 1)
      out.sackEdges[edge] = readUint32(bytes, at + 2 + 4 * edge);
  } else if (kind === OptionKind.mss && length === 4) out.mss = readUint16(bytes, at + 2);
  else if (kind === OptionKind.windowScale && length === 3)
    out.windowScale = bytes[at + 2] as number;
  else if (kind === OptionKind.sackPermitted && length === 2) out.sackPermitted = true;
}

function encodeOptions(bytes: Uint8Array, from: number, header: TcpHeader): number {
  let at = from;
  if (header.mss > 0) {
    writeUint16(bytes, at, (OptionKind.mss << 8) | 4);
    writeUint16(bytes, at + 2, header.mss);
    at += 4;
  }
  if (header.sackPermitted) {
    writeUint32(bytes, at, 0x0101_0000 | (OptionKind.sackPermitted << 8) | 2);
    at += 4;
  }
  if (header.hasTimestamps) {
    writeUint32(bytes, at, 0x0101_0000 | (OptionKind.timestamps << 8) | 10);
    writeUint32(bytes, at + 4, header.timestampValue);
    writeUint32(bytes, at + 8, header.timestampEcho);
    at += TCP_TIMESTAMP_BYTES;
  }
  if (header.windowScale >= 0) {
    writeUint32(bytes, at, 0x0100_0000 | (OptionKind.windowScale << 16) | 0x300);
    bytes[at + 3] = header.windowScale;
    at += 4;
  }
  return header.sackCount > 0 ? encodeSack(bytes, at, header) : at;
}

function encodeSack(bytes: Uint8Array, from: number, header: TcpHeader): number {
  const length = 2 + 8 * header.sackCount;
  writeUint32(bytes, from, 0x0101_0000 | (OptionKind.sack << 8) | length);
  for (let edge = 0; edge < 2 * header.sackCount; edge += 1)
    writeUint32(bytes, from + 4 + 4 * edge, header.sackEdges[edge] as number);
  return from + 2 + length;
}
