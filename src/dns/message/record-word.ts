/** One word of a record in presentation form (RFC 1035 §5.1); quoted words are character strings. */
export interface RecordWord {
  readonly text: string;
  readonly quoted: boolean;
}

/** `\DDD` and `\x`; the result is Latin-1 so that every byte survives. */
export function unescapeText(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes.replace(/\\(\d{3}|[\s\S])/g, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped) & 0xff) : escaped,
  );
}

/** A character string (RFC 1035 §3.3): its length and its bytes, given as Latin-1. */
export function stringOnWire(text: string): Buffer {
  if (text.length > 255) throw new Error('a character string is longer than 255 bytes');
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
}
