import { stringOnWire, unescapeText, type RecordWord } from './record-word.ts';

/** SvcParamKeys, RFC 9460 §14.3.2; dohpath RFC 9461. Others are `keyNNNNN`. */
const KEYS: Readonly<Record<string, number>> = {
  mandatory: 0,
  alpn: 1,
  'no-default-alpn': 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
};

type AddressBytes = (text: string, family: 'IPv4' | 'IPv6') => Buffer;

/** `key=value` words as SVCB and HTTPS records hold them: ascending keys, each once (RFC 9460 §2.2). */
export function serviceParameters(words: readonly RecordWord[], address: AddressBytes): Buffer {
  const values = new Map<number, Buffer>();
  for (const [key, value] of pairsOf(words)) {
    const code = keyCode(key);
    if (values.has(code)) throw new Error(`parameter '${key}' is given twice`);
    values.set(code, valueBytes(code, value, address));
  }
  return Buffer.concat(
    [...values]
      .toSorted(([a], [b]) => a - b)
      .flatMap(([code, value]) => [uint16(code), uint16(value.length), value]),
  );
}

/** A quoted value is a word of its own after `key=`. */
function pairsOf(words: readonly RecordWord[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (const { text, quoted } of words) {
    const before = pairs.at(-1);
    if (quoted && before?.[1] === '') {
      pairs[pairs.length - 1] = [before[0], text];
      continue;
    }
    const [, key = '', value = ''] = /^([^=]*)=?([\s\S]*)$/.exec(text) ?? [];
    pairs.push([key, value]);
  }
  return pairs;
}

function keyCode(key: string): number {
  const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
  const code = known ?? Number(/^key(\d{1,5})$/.exec(key)?.[1] ?? Number.NaN);
  if (!(code <= 0xffff))
    throw new Error(
      `unknown parameter '${key}'; expected ${Object.keys(KEYS).join(', ')} or keyNNNNN`,
    );
  return code;
}

function valueBytes(code: number, value: string, address: AddressBytes): Buffer {
  const list = value.split(',');
  switch (code) {
    case KEYS['mandatory']:
      return Buffer.concat(
        list
          .map(keyCode)
          .toSorted((a, b) => a - b)
          .map(uint16),
      );
    case KEYS['alpn']:
      return Buffer.concat(list.map((name) => stringOnWire(unescapeText(name))));
    case KEYS['no-default-alpn']:
      if (value !== '') throw new Error('no-default-alpn takes no value');
      return Buffer.alloc(0);
    case KEYS['port']:
      if (!/^\d{1,5}$/.test(value)) throw new Error(`port '${value}' is not a number`);
      return uint16(Number(value));
    case KEYS['ipv4hint']:
      return Buffer.concat(list.map((text) => address(text, 'IPv4')));
    case KEYS['ipv6hint']:
      return Buffer.concat(list.map((text) => address(text, 'IPv6')));
    case KEYS['ech']:
      return Buffer.from(value, 'base64');
    default:
      return Buffer.from(unescapeText(value), 'latin1');
  }
}

function uint16(value: number): Buffer {
  return Buffer.from([(value >>> 8) & 0xff, value & 0xff]);
}
