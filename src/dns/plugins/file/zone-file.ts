import { PodwireError, errorMessage } from '../../../base/errors.ts';
import { classCode, RecordClass, RecordType, typeCode } from '../../message/codes.ts';
import type { ResourceRecord } from '../../message/message.ts';
import {
  absoluteName,
  parseRecordData,
  parseSeconds,
  type RecordWord,
} from '../../message/record-text.ts';

interface Word extends RecordWord {
  /** The word stands at the beginning of its line: it is the owner. */
  readonly first: boolean;
  readonly line: number;
}

const DEFAULT_TTL_SECONDS = 3600;

/**
 * Reads a zone file (RFC 1035 §5): $ORIGIN, $TTL, parentheses, comments, relative names. Throws a
 * PodwireError with code `ZONE_FILE` that names file and line.
 */
export function parseZoneFile(text: string, origin: string, file: string): ResourceRecord[] {
  const reader = new ZoneReader(origin, file);
  for (const entry of entriesOf(text, file)) reader.entry(entry);
  return reader.records;
}

class ZoneReader {
  readonly records: ResourceRecord[] = [];
  readonly #file: string;
  #origin: string;
  #owner: string | undefined;
  #ttl: number | undefined;

  constructor(origin: string, file: string) {
    this.#origin = origin;
    this.#file = file;
  }

  entry(words: readonly Word[]): void {
    const [first] = words;
    if (first === undefined) return;
    try {
      if (first.text.startsWith('$') && !first.quoted) this.#directive(words);
      else this.#record(words);
    } catch (error) {
      throw zoneError(this.#file, first.line, errorMessage(error), error);
    }
  }

  #directive([keyword, argument]: readonly Word[]): void {
    const value = argument?.text ?? '';
    switch (keyword?.text.toUpperCase() ?? '') {
      case '$ORIGIN':
        this.#origin = absoluteName(value, this.#origin);
        break;
      case '$TTL':
        this.#ttl = parseSeconds(value);
        if (this.#ttl === undefined) throw new Error(`$TTL '${value}' is not a number of seconds`);
        break;
      default:
        throw new Error(`'${keyword?.text ?? ''}' is not supported; expected $ORIGIN or $TTL`);
    }
  }

  #record(words: readonly Word[]): void {
    let rest = [...words];
    if (rest[0]?.first === true) {
      this.#owner = absoluteName(rest[0].text, this.#origin);
      rest = rest.slice(1);
    }
    if (this.#owner === undefined) throw new Error('the first record needs an owner name');
    let ttl = this.#ttl;
    let type: number | undefined;
    // TTL and class come in either order, or not at all.
    while (type === undefined) {
      const word = rest.shift();
      if (word === undefined) throw new Error('expected a record type');
      const seconds = parseSeconds(word.text);
      if (seconds !== undefined) ttl = seconds;
      else if (classCode(word.text) === undefined) {
        type = typeCode(word.text);
        if (type === undefined) throw new Error(`'${word.text}' is not a record type`);
      }
    }
    const data = parseRecordData(type, rest, this.#origin);
    // Without $TTL, records take the SOA's minimum (RFC 1035) or the TTL before them.
    if (data.kind === 'soa') this.#ttl ??= ttl ?? data.minimumSeconds;
    this.records.push({
      name: this.#owner,
      type,
      class: RecordClass.IN,
      ttlSeconds: ttl ?? this.#ttl ?? DEFAULT_TTL_SECONDS,
      data,
    });
    if (type === RecordType.OPT) throw new Error('OPT does not belong into a zone');
  }
}

/** Logical lines: parentheses join physical ones. */
function entriesOf(text: string, file: string): Word[][] {
  const entries: Word[][] = [];
  let current: Word[] = [];
  let depth = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const pattern = /"((?:[^"\\]|\\.)*)"|;.*$|[()]|(?:[^\s"();\\]|\\.)+/g;
    for (const match of line.matchAll(pattern)) {
      const [whole, quoted] = match;
      if (whole === '(') depth += 1;
      else if (whole === ')') depth -= 1;
      else if (!whole.startsWith(';') || quoted !== undefined)
        current.push({
          text: quoted ?? whole,
          quoted: quoted !== undefined,
          first: match.index === 0 && current.length === 0,
          line: index + 1,
        });
    }
    if (depth < 0) throw zoneError(file, index + 1, "unexpected ')'");
    if (depth > 0) continue;
    entries.push(current);
    current = [];
  }
  if (depth > 0) throw zoneError(file, current[0]?.line ?? 0, "expected ')' before the end");
  return entries;
}

function zoneError(file: string, line: number, problem: string, cause?: unknown): PodwireError {
  return new PodwireError('ZONE_FILE', `${file}:${line}: ${problem}`, { cause });
}
