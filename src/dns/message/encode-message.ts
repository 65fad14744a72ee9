import assert from 'node:assert/strict';
import { parseIp, parseIpv4 } from '../../base/ip.ts';
import { RecordType } from './codes.ts';
import { HEADER_BYTES } from './decode-message.ts';
import type { DnsMessage, Edns, RecordData, ResourceRecord } from './message.ts';
import { nameBytes, nextDot } from './name.ts';

/** Largest message over TCP, RFC 1035 §4.2.2. */
export const MAX_MESSAGE_BYTES = 65_535;
const OPT_BYTES = 11;
const QUESTION_FIXED_BYTES = 4;
/** Type, class, TTL and length. */
const RECORD_FIXED_BYTES = 10;
const SOA_FIXED_BYTES = 20;
const SRV_FIXED_BYTES = 6;
const MX_FIXED_BYTES = 2;
const MAX_POINTER_OFFSET = 0x3fff;
/** One record can be 64 KiB of data plus names; the writer checks the limit after each. */
const SCRATCH_BYTES = 2 * 65_536 + 4096;

export interface EncodeOptions {
  readonly maxBytes: number;
  readonly compress: boolean;
}

export interface EncodedMessage {
  readonly bytes: Buffer;
  /** Records had to be left out, and TC says so. */
  readonly cut: boolean;
}

/**
 * Writes a message. What does not fit is left out from the end, with room kept for OPT, and TC is set
 * (RFC 2181 §9). Names in SRV and later types are never compressed (RFC 3597 §4).
 */
export function encodeMessage(message: DnsMessage, options: EncodeOptions): EncodedMessage {
  const writer = new MessageWriter(options.compress);
  writer.offset = HEADER_BYTES;
  for (const question of message.questions) writer.question(question);
  const room = options.maxBytes - (message.edns === undefined ? 0 : ednsBytes(message.edns));
  const sections = [message.answers, message.authorities, message.additionals];
  const counts = [0, 0, 0];
  let cut = false;
  for (const [section, records] of sections.entries()) {
    for (const record of records) {
      if (cut || !writer.recordWithin(record, room)) {
        cut = true;
        break;
      }
      counts[section] = (counts[section] ?? 0) + 1;
    }
  }
  if (message.edns !== undefined) writer.opt(message.edns, message.rcode >>> 4);
  writer.header(message, message.truncated || cut, counts);
  return { bytes: Buffer.from(writer.written()), cut };
}

/**
 * CoreDNS's rule for replies (request.Scrub): uncompressed when that fits the client's limit, except
 * that UDP replies which a usual link would fragment are compressed anyway; else compressed; else cut.
 */
export function encodeReply(
  message: DnsMessage,
  limits: { readonly maxBytes: number; readonly fragmentBytes: number },
): EncodedMessage {
  const plainBytes = Math.min(limits.maxBytes, limits.fragmentBytes);
  const plain = encodeMessage(message, { maxBytes: plainBytes, compress: false });
  if (!plain.cut && plain.bytes.length <= plainBytes) return plain;
  return encodeMessage(message, { maxBytes: limits.maxBytes, compress: true });
}

/** The size the message has without compression, as CoreDNS counts it in its log and metrics. */
export function uncompressedBytes(message: DnsMessage): number {
  let total = HEADER_BYTES;
  for (const { name } of message.questions) total += nameBytes(name) + QUESTION_FIXED_BYTES;
  for (const section of [message.answers, message.authorities, message.additionals])
    for (const { name, data } of section)
      total += nameBytes(name) + RECORD_FIXED_BYTES + dataBytes(data);
  return message.edns === undefined ? total : total + ednsBytes(message.edns);
}

function dataBytes(data: RecordData): number {
  switch (data.kind) {
    case 'address':
      return data.address.includes(':') ? 16 : 4;
    case 'name':
      return nameBytes(data.target);
    case 'soa':
      return nameBytes(data.mname) + nameBytes(data.rname) + SOA_FIXED_BYTES;
    case 'srv':
      return SRV_FIXED_BYTES + nameBytes(data.target);
    case 'mx':
      return MX_FIXED_BYTES + nameBytes(data.exchange);
    case 'text':
      return data.strings.reduce((sum, text) => sum + 1 + Math.min(text.length, 255), 0);
    case 'raw':
      return data.bytes.length;
  }
}

function ednsBytes(edns: Edns): number {
  return edns.options.reduce((sum, option) => sum + 4 + option.data.length, OPT_BYTES);
}

// One message is written at a time, synchronously, and copied out.
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

class MessageWriter {
  offset = 0;
  readonly #suffixes: Map<string, number> | undefined;

  constructor(compress: boolean) {
    this.#suffixes = compress ? new Map() : undefined;
  }

  written(): Buffer {
    return scratch.subarray(0, this.offset);
  }

  header(message: DnsMessage, truncated: boolean, counts: readonly number[]): void {
    scratch.writeUInt16BE(message.id, 0);
    scratch.writeUInt16BE(flagsOf(message, truncated), 2);
    scratch.writeUInt16BE(message.questions.length, 4);
    scratch.writeUInt16BE(counts[0] ?? 0, 6);
    scratch.writeUInt16BE(counts[1] ?? 0, 8);
    scratch.writeUInt16BE((counts[2] ?? 0) + (message.edns === undefined ? 0 : 1), 10);
  }

  question(question: { name: string; type: number; class: number }): void {
    this.#name(question.name, true);
    this.#uint16(question.type);
    this.#uint16(question.class);
  }

  /** False, and nothing written, when the record would end after `maxBytes`. */
  recordWithin(record: ResourceRecord, maxBytes: number): boolean {
    const before = this.offset;
    this.#name(record.name, true);
    this.#uint16(record.type);
    this.#uint16(record.class);
    this.offset = scratch.writeUInt32BE(record.ttlSeconds >>> 0, this.offset);
    const lengthAt = this.offset;
    this.offset += 2;
    this.#data(record.type, record.data);
    if (this.offset > maxBytes) {
      this.offset = before;
      return false;
    }
    scratch.writeUInt16BE(this.offset - lengthAt - 2, lengthAt);
    return true;
  }

  opt(edns: Edns, extendedRcode: number): void {
    scratch[this.offset] = 0;
    this.offset += 1;
    this.#uint16(RecordType.OPT);
    this.#uint16(edns.udpBytes);
    const flags = (edns.version << 16) | (edns.dnssecOk ? 0x8000 : 0);
    this.offset = scratch.writeUInt32BE(((extendedRcode << 24) | flags) >>> 0, this.offset);
    this.#uint16(ednsBytes(edns) - OPT_BYTES);
    for (const option of edns.options) {
      this.#uint16(option.code);
      this.#uint16(option.data.length);
      this.#bytes(option.data);
    }
  }

  #data(type: number, data: RecordData): void {
    switch (data.kind) {
      case 'address':
        this.#address(data.address);
        break;
      case 'name':
        this.#name(data.target, type !== RecordType.DNAME);
        break;
      case 'soa':
        this.#name(data.mname, true);
        this.#name(data.rname, true);
        this.#uint32(data.serial);
        this.#uint32(data.refreshSeconds);
        this.#uint32(data.retrySeconds);
        this.#uint32(data.expireSeconds);
        this.#uint32(data.minimumSeconds);
        break;
      case 'srv':
        this.#uint16(data.priority);
        this.#uint16(data.weight);
        this.#uint16(data.port);
        this.#name(data.target, false);
        break;
      case 'mx':
        this.#uint16(data.preference);
        this.#name(data.exchange, true);
        break;
      case 'text':
        this.#strings(data.strings);
        break;
      case 'raw':
        this.#bytes(data.bytes);
        break;
    }
  }

  #strings(strings: readonly string[]): void {
    for (const text of strings) {
      const length = Math.min(text.length, 255);
      scratch[this.offset] = length;
      scratch.write(text, this.offset + 1, length, 'latin1');
      this.offset += 1 + length;
    }
  }

  #address(address: string): void {
    const ipv4 = parseIpv4(address);
    if (ipv4 !== undefined) {
      this.#uint32(ipv4);
      return;
    }
    const ip = parseIp(address);
    assert(ip?.family === 'IPv6', `not an address: ${address}`);
    this.offset += scratch.write(ip.value.toString(16).padStart(32, '0'), this.offset, 'hex');
  }

  /** `mayPoint` allows a pointer inside this name; the name can always be pointed at. */
  #name(name: string, mayPoint: boolean): void {
    let start = name === '.' ? 1 : 0;
    while (start < name.length) {
      const suffix = start === 0 ? name : name.slice(start);
      const known = mayPoint ? this.#suffixes?.get(suffix) : undefined;
      if (known !== undefined) {
        this.#uint16(0xc000 | known);
        return;
      }
      if (this.offset <= MAX_POINTER_OFFSET && this.#suffixes?.has(suffix) === false)
        this.#suffixes.set(suffix, this.offset);
      const dot = nextDot(name, start);
      const end = dot === -1 ? name.length : dot;
      this.#label(name, start, end);
      start = end + 1;
    }
    scratch[this.offset] = 0;
    this.offset += 1;
  }

  #label(name: string, start: number, end: number): void {
    const lengthAt = this.offset;
    this.offset += 1;
    for (let index = start; index < end; index += 1) {
      let byte = name.charCodeAt(index);
      if (byte === 0x5c) {
        const digits = /^\d{3}/.exec(name.slice(index + 1, index + 4))?.[0];
        byte = digits === undefined ? name.charCodeAt(index + 1) : Number(digits);
        index += digits === undefined ? 1 : 3;
      }
      scratch[this.offset] = byte;
      this.offset += 1;
    }
    const length = this.offset - lengthAt - 1;
    assert(length > 0 && length < 64, `label of ${length} bytes in ${name}`);
    scratch[lengthAt] = length;
  }

  #bytes(bytes: Uint8Array): void {
    scratch.set(bytes, this.offset);
    this.offset += bytes.length;
  }

  #uint16(value: number): void {
    this.offset = scratch.writeUInt16BE(value, this.offset);
  }

  #uint32(value: number): void {
    this.offset = scratch.writeUInt32BE(value >>> 0, this.offset);
  }
}

function flagsOf(message: DnsMessage, truncated: boolean): number {
  return (
    (message.response ? 0x8000 : 0) |
    (message.opcode << 11) |
    (message.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (message.recursionDesired ? 0x0100 : 0) |
    (message.recursionAvailable ? 0x0080 : 0) |
    (message.authenticData ? 0x0020 : 0) |
    (message.checkingDisabled ? 0x0010 : 0) |
    (message.rcode & 15)
  );
}
