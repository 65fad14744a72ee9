import { parseIp } from '../../base/ip.ts';
import { RecordType } from './codes.ts';
import { absoluteName, nameOnWire } from './name.ts';
import { stringOnWire, unescapeText, type RecordWord } from './record-word.ts';
import { serviceParameters } from './service-parameters.ts';

/**
 * One field of a record's data. `string` has a length byte; `text`, `hex` and `base64` are all that is
 * left; `parameters` are SVCB's `key=value` words.
 */
type Field = 'u8' | 'u16' | 'name' | 'string' | 'text' | 'hex' | 'base64' | 'parameters';

const LARGEST = { u8: 0xff, u16: 0xffff } as const;

/** Types nobody looks into here: their data are read once, from a zone file, and kept as bytes. */
const FIELDS: ReadonlyMap<number, readonly Field[]> = new Map([
  [RecordType.HINFO, ['string', 'string']],
  [RecordType.RP, ['name', 'name']],
  [RecordType.AFSDB, ['u16', 'name']],
  [RecordType.KX, ['u16', 'name']],
  [RecordType.NAPTR, ['u16', 'u16', 'string', 'string', 'string', 'name']],
  [RecordType.CERT, ['u16', 'u16', 'u8', 'base64']],
  [RecordType.DS, ['u16', 'u8', 'u8', 'hex']],
  [RecordType.CDS, ['u16', 'u8', 'u8', 'hex']],
  [RecordType.SSHFP, ['u8', 'u8', 'hex']],
  [RecordType.TLSA, ['u8', 'u8', 'u8', 'hex']],
  [RecordType.DNSKEY, ['u16', 'u8', 'u8', 'base64']],
  [RecordType.CDNSKEY, ['u16', 'u8', 'u8', 'base64']],
  [RecordType.SVCB, ['u16', 'name', 'parameters']],
  [RecordType.HTTPS, ['u16', 'name', 'parameters']],
  [RecordType.URI, ['u16', 'u16', 'text']],
  [RecordType.CAA, ['u8', 'string', 'text']],
]);

/** The data on the wire; undefined for a type that has no form here. Throws an Error saying what was expected. */
export function rareData(
  type: number,
  words: readonly RecordWord[],
  origin: string,
): Buffer | undefined {
  const fields = FIELDS.get(type);
  if (fields === undefined) return undefined;
  const rest = [...words];
  const parts = fields.map((field, index) => encodeField(field, rest, origin, index + 1));
  const [extra] = rest;
  if (extra !== undefined) throw new Error(`unexpected '${extra.text}' after the data`);
  return Buffer.concat(parts);
}

/** Takes the words it needs from the front. */
function encodeField(field: Field, rest: RecordWord[], origin: string, position: number): Buffer {
  if (field === 'parameters') return serviceParameters(rest.splice(0), addressBytes);
  const word = rest.shift();
  if (word === undefined) throw new Error(`expected field ${position} of the data`);
  switch (field) {
    case 'u8':
    case 'u16':
      return numberBytes(word.text, LARGEST[field]);
    case 'name':
      return nameOnWire(absoluteName(word.text, origin));
    case 'string':
      return stringOnWire(unescapeText(word.text));
    case 'text':
      return Buffer.from(unescapeText(word.text), 'latin1');
    case 'hex':
    case 'base64':
      return binary([word, ...rest.splice(0)].map(({ text }) => text).join(''), field);
  }
}

function numberBytes(text: string, max: 0xff | 0xffff): Buffer {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw new Error(`'${text}' is not a number from 0 to ${max}`);
  return max === 0xff ? Buffer.from([value]) : Buffer.from([value >>> 8, value & 0xff]);
}

/** What does not come out again as it went in was not in that notation. */
function binary(text: string, notation: 'hex' | 'base64'): Buffer {
  const bytes = Buffer.from(text, notation);
  const plain = (value: string): string => value.toLowerCase().replace(/=+$/, '');
  if (plain(bytes.toString(notation)) !== plain(text))
    throw new Error(`'${text}' is not ${notation === 'hex' ? 'hexadecimal' : 'base64'}`);
  return bytes;
}

function addressBytes(text: string, family: 'IPv4' | 'IPv6'): Buffer {
  const ip = parseIp(text);
  if (ip?.family !== family) throw new Error(`'${text}' is not an ${family} address`);
  return Buffer.from(ip.value.toString(16).padStart(family === 'IPv4' ? 8 : 32, '0'), 'hex');
}
