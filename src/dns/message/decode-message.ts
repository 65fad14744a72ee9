import { formatIp } from '../../base/ip.ts';
import { PodwireError } from '../../base/errors.ts';
import { RecordType } from './codes.ts';
import type {
  DnsMessage,
  Edns,
  EdnsOption,
  Question,
  RecordData,
  ResourceRecord,
} from './message.ts';
import { MAX_NAME_BYTES } from './name.ts';

/** RFC 1035 §4.1: sizes of the fixed parts. */
export const HEADER_BYTES = 12;
const RECORD_HEADER_BYTES = 10;
const QUESTION_TRAILER_BYTES = 4;

/** A name of 255 bytes has at most 127 labels; more jumps than that is a loop. */
const MAX_POINTERS = 127;

interface Cursor {
  readonly bytes: Buffer;
  offset: number;
  /** The name that was read last and where it begins: records mostly point at the one before. */
  last: { readonly name: string; readonly offset: number } | undefined;
}

/**
 * Reads one whole message. Throws a PodwireError with code `DNS_MALFORMED` that says what and where;
 * bytes after the last record are ignored, as miekg/dns does.
 */
export function decodeMessage(packet: Uint8Array): DnsMessage {
  const bytes = asBuffer(packet);
  if (bytes.length < HEADER_BYTES) throw malformed('header is cut short', bytes.length);
  const cursor: Cursor = { bytes, offset: HEADER_BYTES, last: undefined };
  const message = headerOf(bytes);
  message.questions = repeat(bytes.readUInt16BE(4), cursor, readQuestion);
  message.answers = repeat(bytes.readUInt16BE(6), cursor, readRecord);
  message.authorities = repeat(bytes.readUInt16BE(8), cursor, readRecord);
  const extra = repeat(bytes.readUInt16BE(10), cursor, readRecord);
  const opt = extra.find((record) => record.type === RecordType.OPT);
  message.additionals = opt === undefined ? extra : extra.filter((record) => record !== opt);
  if (opt === undefined) return message;
  message.rcode |= (opt.ttlSeconds >>> 24) << 4;
  message.edns = ednsOf(opt);
  return message;
}

/** The header alone, with empty sections: for packets whose rest cannot be read. */
export function decodeHeader(packet: Uint8Array): DnsMessage {
  return headerOf(asBuffer(packet));
}

/** A name at `offset`, following compression pointers, and where the bytes after it begin. */
export function readName(bytes: Buffer, offset: number): { name: string; next: number } {
  const cursor: Cursor = { bytes, offset, last: undefined };
  const name = takeName(cursor);
  return { name, next: cursor.offset };
}

/** Filled in place: putting objects of so many properties together is slow in V8. */
type Draft = { -readonly [Property in keyof DnsMessage]: DnsMessage[Property] };

function headerOf(bytes: Buffer): Draft {
  const flags = bytes.readUInt16BE(2);
  return {
    id: bytes.readUInt16BE(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >>> 11) & 15,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: flags & 15,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  };
}

function readQuestion(cursor: Cursor): Question {
  const name = takeName(cursor);
  need(cursor, QUESTION_TRAILER_BYTES, 'question');
  const type = cursor.bytes.readUInt16BE(cursor.offset);
  const questionClass = cursor.bytes.readUInt16BE(cursor.offset + 2);
  cursor.offset += QUESTION_TRAILER_BYTES;
  return { name, type, class: questionClass };
}

function readRecord(cursor: Cursor): ResourceRecord {
  const name = takeName(cursor);
  need(cursor, RECORD_HEADER_BYTES, 'record header');
  const { bytes, offset } = cursor;
  const type = bytes.readUInt16BE(offset);
  const end = offset + RECORD_HEADER_BYTES + bytes.readUInt16BE(offset + 8);
  if (end > bytes.length) throw malformed('record data runs past the end', offset);
  cursor.offset = offset + RECORD_HEADER_BYTES;
  const data = readData(cursor, type, end);
  if (cursor.offset !== end) throw malformed('record data does not fill its length', offset);
  return {
    name,
    type,
    class: bytes.readUInt16BE(offset + 2),
    ttlSeconds: bytes.readUInt32BE(offset + 4),
    data,
  };
}

function readData(cursor: Cursor, type: number, end: number): RecordData {
  const start = cursor.offset;
  // Dynamic update and OPT use records without data.
  if (start === end) return { kind: 'raw', bytes: cursor.bytes.subarray(start, end) };
  switch (type) {
    case RecordType.A:
      return readAddress(cursor, end, 4);
    case RecordType.AAAA:
      return readAddress(cursor, end, 16);
    case RecordType.CNAME:
    case RecordType.NS:
    case RecordType.PTR:
    case RecordType.DNAME:
      return { kind: 'name', target: takeName(cursor) };
    case RecordType.SOA:
      return readSoa(cursor);
    case RecordType.MX:
      return { kind: 'mx', preference: takeUint16(cursor), exchange: takeName(cursor) };
    case RecordType.SRV:
      return {
        kind: 'srv',
        priority: takeUint16(cursor),
        weight: takeUint16(cursor),
        port: takeUint16(cursor),
        target: takeName(cursor),
      };
    case RecordType.TXT:
    case RecordType.SPF:
      return { kind: 'text', strings: takeStrings(cursor, end) };
    default:
      cursor.offset = end;
      return { kind: 'raw', bytes: Buffer.from(cursor.bytes.subarray(start, end)) };
  }
}

function readAddress(cursor: Cursor, end: number, length: 4 | 16): RecordData {
  if (end - cursor.offset !== length)
    throw malformed('address has the wrong length', cursor.offset);
  const { bytes, offset } = cursor;
  cursor.offset = end;
  const address = length === 4 ? ipv4At(bytes, offset) : ipv6At(bytes, offset);
  return { kind: 'address', address };
}

function ipv4At(bytes: Buffer, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

function ipv6At(bytes: Buffer, offset: number): string {
  const hex = bytes.toString('hex', offset, offset + 16);
  return formatIp({ family: 'IPv6', value: BigInt(`0x${hex}`) });
}

function readSoa(cursor: Cursor): RecordData {
  const mname = takeName(cursor);
  const rname = takeName(cursor);
  need(cursor, 20, 'SOA');
  const { bytes, offset } = cursor;
  cursor.offset += 20;
  return {
    kind: 'soa',
    mname,
    rname,
    serial: bytes.readUInt32BE(offset),
    refreshSeconds: bytes.readUInt32BE(offset + 4),
    retrySeconds: bytes.readUInt32BE(offset + 8),
    expireSeconds: bytes.readUInt32BE(offset + 12),
    minimumSeconds: bytes.readUInt32BE(offset + 16),
  };
}

function takeStrings(cursor: Cursor, end: number): string[] {
  const strings: string[] = [];
  while (cursor.offset < end) {
    const length = cursor.bytes[cursor.offset] ?? 0;
    const start = cursor.offset + 1;
    if (start + length > end) throw malformed('character string runs past its record', start);
    strings.push(cursor.bytes.toString('latin1', start, start + length));
    cursor.offset = start + length;
  }
  return strings;
}

function ednsOf(opt: ResourceRecord): Edns {
  return {
    udpBytes: opt.class,
    version: (opt.ttlSeconds >>> 16) & 0xff,
    dnssecOk: (opt.ttlSeconds & 0x8000) !== 0,
    options: opt.data.kind === 'raw' ? optionsOf(asBuffer(opt.data.bytes)) : [],
  };
}

function optionsOf(bytes: Buffer): EdnsOption[] {
  const options: EdnsOption[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (offset + 4 > bytes.length) throw malformed('EDNS option is cut short', offset);
    const end = offset + 4 + bytes.readUInt16BE(offset + 2);
    if (end > bytes.length) throw malformed('EDNS option runs past its record', offset);
    options.push({ code: bytes.readUInt16BE(offset), data: bytes.subarray(offset + 4, end) });
    offset = end;
  }
  return options;
}

function takeName(cursor: Cursor): string {
  const { bytes, last } = cursor;
  const target = pointerAt(bytes, cursor.offset);
  if (last !== undefined && target === last.offset) {
    cursor.offset += 2;
    return last.name;
  }
  const start = target ?? cursor.offset;
  const name = readLabels(cursor);
  cursor.last = { name, offset: start };
  return name;
}

/** Where a compression pointer leads (RFC 1035 §4.1.4); undefined where there is none. */
function pointerAt(bytes: Buffer, offset: number): number | undefined {
  const high = bytes[offset] ?? 0;
  const low = bytes[offset + 1];
  return high < 0xc0 || low === undefined ? undefined : ((high & 0x3f) << 8) | low;
}

// A name is put together here, a byte a character, and made a string at once.
const text = Buffer.allocUnsafeSlow(MAX_NAME_BYTES);

function readLabels(cursor: Cursor): string {
  const { bytes } = cursor;
  let offset = cursor.offset;
  let next = -1;
  let pointers = 0;
  let length = 0;
  let isPlain = true;
  const starts: number[] = [];
  for (;;) {
    const label = bytes[offset];
    if (label === undefined) throw malformed('name runs past the end', offset);
    if (label === 0) break;
    if (label >= 0xc0) {
      const target = pointerAt(bytes, offset);
      if (target === undefined) throw malformed('compression pointer is cut short', offset);
      if (next === -1) next = offset + 2;
      pointers += 1;
      if (pointers > MAX_POINTERS) throw malformed('compression pointers loop', offset);
      offset = target;
      continue;
    }
    if (label > 63) throw malformed('label type is unknown', offset);
    // The root's length byte counts too.
    if (length + label + 2 > MAX_NAME_BYTES)
      throw malformed('name is longer than 255 bytes', offset);
    const end = offset + 1 + label;
    if (end > bytes.length) throw malformed('label runs past the end', offset);
    starts.push(offset);
    for (offset += 1; offset < end; offset += 1) {
      const byte = bytes[offset] as number;
      if (PLAIN[byte] === 0) isPlain = false;
      text[length] = byte;
      length += 1;
    }
    text[length] = DOT;
    length += 1;
  }
  cursor.offset = next === -1 ? offset + 1 : next;
  if (length === 0) return '.';
  return isPlain
    ? text.toString('latin1', 0, length)
    : starts.map((at) => escapedLabel(bytes, at)).join('');
}

/** Bytes that would be read as something else in a zone file get a backslash, as in miekg/dns. */
function escapedLabel(bytes: Buffer, start: number): string {
  let label = '';
  const end = start + 1 + (bytes[start] ?? 0);
  for (let index = start + 1; index < end; index += 1) {
    const byte = bytes[index] ?? 0;
    if (PLAIN[byte] === 1) label += String.fromCharCode(byte);
    else if (byte >= 0x20 && byte < 0x7f) label += `\\${String.fromCharCode(byte)}`;
    else label += `\\${String(byte).padStart(3, '0')}`;
  }
  return `${label}.`;
}

const DOT = 0x2e;
/** 1 for bytes that stand for themselves in presentation form. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => Number(byte > 0x20 && byte < 0x7f));
for (const special of Buffer.from(' .\'@;()"\\', 'latin1')) PLAIN[special] = 0;

function takeUint16(cursor: Cursor): number {
  need(cursor, 2, 'record data');
  const value = cursor.bytes.readUInt16BE(cursor.offset);
  cursor.offset += 2;
  return value;
}

function need(cursor: Cursor, bytes: number, what: string): void {
  if (cursor.offset + bytes > cursor.bytes.length)
    throw malformed(`${what} is cut short`, cursor.offset);
}

// Every element read takes at least one byte, so a lying count ends at the end of the packet.
function repeat<T>(count: number, cursor: Cursor, read: (cursor: Cursor) => T): T[] {
  const items: T[] = [];
  for (let index = 0; index < count; index += 1) items.push(read(cursor));
  return items;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(what: string, offset: number): PodwireError {
  return new PodwireError('DNS_MALFORMED', `malformed DNS message: ${what} (at byte ${offset})`);
}
