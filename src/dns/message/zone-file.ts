import { dirname, resolve } from 'node:path';
import { PodwireError, errorMessage } from '../../base/errors.ts';
import { classCode, RecordClass, RecordType, typeCode } from './codes.ts';
import { generate } from './generate-records.ts';
import type { ResourceRecord } from './message.ts';
import { absoluteName } from './name.ts';
import { parseRecordData, parseSeconds } from './record-text.ts';
import type { RecordWord } from './record-word.ts';

interface Word extends RecordWord {
  /** The word stands at the beginning of its line: it is the owner. */
  readonly first: boolean;
  readonly line: number;
}

/** What `$INCLUDE` reads; paths are relative to the file that names them. */
type ReadFile = (path: string) => Promise<string>;

const DEFAULT_TTL_SECONDS = 3600;
/** Files that include each other would never end. */
const MAX_INCLUDE_DEPTH = 7;

/**
 * Reads a zone file (RFC 1035 §5): $ORIGIN, $TTL, $INCLUDE, $GENERATE, parentheses, comments, relative
 * names. Rejects with a PodwireError with code `ZONE_FILE` that names file and line.
 */
export async function parseZoneFile(
  source: { readonly text: string; readonly file: string },
  origin: string,
  read: ReadFile,
): Promise<ResourceRecord[]> {
  const reader = new ZoneReader(origin);
  await readInto(reader, source, read, 0);
  return reader.records;
}

/** One record on its own, absolute without a trailing dot too. Throws a PodwireError with code `ZONE_FILE`. */
export function parseRecord(text: string): ResourceRecord {
  const reader = new ZoneReader('.');
  for (const entry of entriesOf(text, 'record')) reader.entry(entry);
  const [only, second] = reader.records;
  if (only === undefined || second !== undefined)
    throw new PodwireError('ZONE_FILE', `expected one record, not '${text}'`);
  return only;
}

async function readInto(
  reader: ZoneReader,
  { text, file }: { readonly text: string; readonly file: string },
  read: ReadFile,
  depth: number,
): Promise<void> {
  for (const entry of entriesOf(text, file)) {
    const [first] = entry;
    if (first === undefined) continue;
    try {
      if (isDirective(first, '$INCLUDE')) await include(reader, { entry, file }, read, depth);
      else reader.entry(entry);
    } catch (error) {
      if (error instanceof PodwireError && error.code === 'ZONE_FILE') throw error;
      throw zoneError(file, first.line, errorMessage(error), error);
    }
  }
}

/** `$INCLUDE FILE [ORIGIN]`: the origin holds inside the file only (RFC 1035 §5.1). */
async function include(
  reader: ZoneReader,
  { entry, file }: { readonly entry: readonly Word[]; readonly file: string },
  read: ReadFile,
  depth: number,
): Promise<void> {
  const [, path, origin] = entry;
  if (path === undefined) throw new Error('$INCLUDE needs a file');
  if (depth >= MAX_INCLUDE_DEPTH) throw new Error('$INCLUDE goes too deep');
  const target = resolve(dirname(file), path.text);
  const outside = reader.origin;
  if (origin !== undefined) reader.origin = absoluteName(origin.text, outside);
  await readInto(reader, { text: await read(target), file: target }, read, depth + 1);
  reader.origin = outside;
}

class ZoneReader {
  readonly records: ResourceRecord[] = [];
  origin: string;
  #owner: string | undefined;
  #ttl: number | undefined;

  constructor(origin: string) {
    this.origin = origin;
  }

  entry(words: readonly Word[]): void {
    const [first] = words;
    if (first === undefined) return;
    if (first.text.startsWith('$') && !first.quoted) this.#directive(first, words);
    else this.#record(words);
  }

  #directive(keyword: Word, words: readonly Word[]): void {
    const value = words[1]?.text ?? '';
    if (isDirective(keyword, '$ORIGIN')) {
      this.origin = absoluteName(value, this.origin);
    } else if (isDirective(keyword, '$TTL')) {
      this.#ttl = parseSeconds(value);
      if (this.#ttl === undefined) throw new Error(`$TTL '${value}' is not a number of seconds`);
    } else if (isDirective(keyword, '$GENERATE')) {
      for (const texts of generate(words.slice(1)))
        this.#record(texts.map((word, index) => ({ ...word, first: index === 0, line: 0 })));
    } else {
      throw new Error(
        `'${keyword.text}' is not supported; expected $ORIGIN, $TTL, $INCLUDE or $GENERATE`,
      );
    }
  }

  #record(words: readonly Word[]): void {
    let rest = [...words];
    if (rest[0]?.first === true) {
      this.#owner = absoluteName(rest[0].text, this.origin);
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
    const data = parseRecordData(type, rest, this.origin);
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

function isDirective({ text, quoted }: Word, keyword: string): boolean {
  return !quoted && text.toUpperCase() === keyword;
}

function zoneError(file: string, line: number, problem: string, cause?: unknown): PodwireError {
  return new PodwireError('ZONE_FILE', `${file}:${line}: ${problem}`, { cause });
}
