import { parseIp } from '../../base/ip.ts';
import { className, RecordType, typeName } from './codes.ts';
import type { RecordData, ResourceRecord } from './message.ts';
import { absoluteName } from './name.ts';
import { rareData } from './rare-data.ts';
import { unescapeText, type RecordWord } from './record-word.ts';

/**
 * Reads the data of a record. Relative names end in `origin`. Throws an Error that says what was
 * expected.
 */
export function parseRecordData(
  type: number,
  words: readonly RecordWord[],
  origin: string,
): RecordData {
  const [first] = words;
  if (first?.text === '\\#' && !first.quoted) return genericData(words);
  switch (type) {
    case RecordType.A:
    case RecordType.AAAA:
      return addressData(type, textAt(words, 0, 'an address'));
    case RecordType.CNAME:
    case RecordType.NS:
    case RecordType.PTR:
    case RecordType.DNAME:
      return { kind: 'name', target: nameAt(words, 0, origin) };
    case RecordType.MX:
      return { kind: 'mx', preference: numberAt(words, 0), exchange: nameAt(words, 1, origin) };
    case RecordType.SRV:
      return {
        kind: 'srv',
        priority: numberAt(words, 0),
        weight: numberAt(words, 1),
        port: numberAt(words, 2),
        target: nameAt(words, 3, origin),
      };
    case RecordType.TXT:
    case RecordType.SPF:
      return { kind: 'text', strings: words.map(({ text }) => unescapeText(text)) };
    case RecordType.SOA:
      return soaData(words, origin);
    default:
      return { kind: 'raw', bytes: rawData(type, words, origin) };
  }
}

/** Presentation form of a record's data, as dig prints it. */
export function formatRecordData(type: number, data: RecordData): string {
  switch (data.kind) {
    case 'address':
      return data.address;
    case 'name':
      return data.target;
    case 'mx':
      return `${data.preference} ${data.exchange}`;
    case 'srv':
      return `${data.priority} ${data.weight} ${data.port} ${data.target}`;
    case 'text':
      return data.strings
        .map((text) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`)
        .join(' ');
    case 'soa':
      return [
        data.mname,
        data.rname,
        data.serial,
        data.refreshSeconds,
        data.retrySeconds,
        data.expireSeconds,
        data.minimumSeconds,
      ].join(' ');
    case 'raw':
      return type === RecordType.HINFO
        ? formatStrings(data.bytes)
        : `\\# ${data.bytes.length} ${Buffer.from(data.bytes).toString('hex')}`;
  }
}

/** `name TTL class type data`. */
export function formatRecord(entry: ResourceRecord): string {
  const { name, ttlSeconds, type, data } = entry;
  return `${name} ${ttlSeconds} ${className(entry.class)} ${typeName(type)} ${formatRecordData(type, data)}`;
}

/** A number of seconds, also as BIND writes it: `1h30m`, `2w`. Undefined for anything else. */
export function parseSeconds(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  if (!/^(?:\d+[smhdw])+$/i.test(text)) return undefined;
  const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  return [...text.toLowerCase().matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, amount = '0', unit = 's']) => sum + Number(amount) * (unitSeconds[unit] ?? 0),
    0,
  );
}

function addressData(type: number, text: string): RecordData {
  const ip = parseIp(text);
  const family = type === RecordType.A ? 'IPv4' : 'IPv6';
  if (ip?.family !== family) throw new Error(`'${text}' is not an ${family} address`);
  return { kind: 'address', address: text };
}

function soaData(words: readonly RecordWord[], origin: string): RecordData {
  const seconds = (index: number): number => {
    const text = textAt(words, index, 'a number of seconds');
    const value = parseSeconds(text);
    if (value === undefined) throw new Error(`'${text}' is not a number of seconds`);
    return value;
  };
  return {
    kind: 'soa',
    mname: nameAt(words, 0, origin),
    rname: nameAt(words, 1, origin),
    serial: numberAt(words, 2, 0xffff_ffff),
    refreshSeconds: seconds(3),
    retrySeconds: seconds(4),
    expireSeconds: seconds(5),
    minimumSeconds: seconds(6),
  };
}

/** RFC 3597 §5: `\# LENGTH HEX`. */
function genericData(words: readonly RecordWord[]): RecordData {
  const length = numberAt(words, 1);
  const hex = words
    .slice(2)
    .map(({ text }) => text)
    .join('');
  const bytes = Buffer.from(hex, 'hex');
  if (bytes.length !== length || hex.length !== 2 * length)
    throw new Error(`expected ${length} bytes of hexadecimal data after \\#`);
  return { kind: 'raw', bytes };
}

function rawData(type: number, words: readonly RecordWord[], origin: string): Buffer {
  const bytes = rareData(type, words, origin);
  if (bytes === undefined)
    throw new Error(
      `data of type ${typeName(type)} can only be given in the form \\# LENGTH HEX (RFC 3597)`,
    );
  return bytes;
}

function textAt(words: readonly RecordWord[], index: number, what: string): string {
  const word = words[index];
  if (word === undefined) throw new Error(`expected ${what} as field ${index + 1} of the data`);
  return word.text;
}

function nameAt(words: readonly RecordWord[], index: number, origin: string): string {
  return absoluteName(textAt(words, index, 'a domain name'), origin);
}

function numberAt(words: readonly RecordWord[], index: number, max = 0xffff): number {
  const text = textAt(words, index, 'a number');
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new Error(`'${text}' is not a number from 0 to ${max}`);
  return value;
}

function formatStrings(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes);
  const strings: string[] = [];
  for (let offset = 0; offset < buffer.length; ) {
    const length = buffer[offset] ?? 0;
    strings.push(`"${buffer.toString('latin1', offset + 1, offset + 1 + length)}"`);
    offset += 1 + length;
  }
  return strings.join(' ');
}
