import { parseIp } from '../../base/ip.ts';
import { RecordType } from '../message/codes.ts';
import { nameRecord, resourceRecord, type ResourceRecord } from '../message/message.ts';
import { foldName, fullyQualified, isSubdomain, joinName } from '../message/name.ts';
import type { Backend, BackendQuery, BackendRecord, Found, LookupResult } from './backend.ts';

/** A CNAME chain inside the zone ends after this many, plugin/backend_lookup.go. */
const MAX_CHAIN = 8;

const MISSING: LookupResult = { kind: 'missing' };

/** A, AAAA and TXT with their CNAME chains. */
export async function lookupWithChase(
  backend: Backend,
  query: BackendQuery,
  previous: readonly ResourceRecord[] = [],
): Promise<LookupResult> {
  const found = await findAtApex(backend, query);
  if (found === undefined) return MISSING;
  const answers: ResourceRecord[] = [];
  const seen = new Set<string>();
  let truncated = false;
  for (const entry of found) {
    const kind = hostKind(entry);
    if (kind === 'name') {
      const chased = await chase(backend, query, entry, previous);
      answers.push(...chased.answers);
      truncated ||= chased.truncated;
      continue;
    }
    const answer = directAnswer(query, entry, kind);
    const value = kind === 'text' ? (entry.text ?? '') : entry.host;
    if (answer === undefined || seen.has(value)) continue;
    seen.add(value);
    answers.push(answer);
  }
  return { kind: 'found', answers, additionals: [], truncated };
}

export type HostKind = 'IPv4' | 'IPv6' | 'text' | 'name';

/** What an entry's host stands for; text wins over an empty or named host. */
export function hostKind(entry: BackendRecord): HostKind {
  const ip = parseIp(entry.host);
  if (ip !== undefined) return ip.family;
  return entry.text !== undefined && entry.text !== '' ? 'text' : 'name';
}

/** Character strings hold 255 bytes, so longer text becomes several. */
export function textStrings(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return bytes.match(/[\s\S]{1,255}/g) ?? [''];
}

function directAnswer(
  query: BackendQuery,
  entry: BackendRecord,
  kind: Exclude<HostKind, 'name'>,
): ResourceRecord | undefined {
  if (kind === 'text')
    return query.type === RecordType.TXT
      ? resourceRecord(query.name, RecordType.TXT, entry.ttlSeconds, {
          kind: 'text',
          strings: textStrings(entry.text ?? ''),
        })
      : undefined;
  const type = kind === 'IPv4' ? RecordType.A : RecordType.AAAA;
  if (type !== query.type) return undefined;
  return resourceRecord(query.name, type, entry.ttlSeconds, {
    kind: 'address',
    address: entry.host,
  });
}

/** The zone's own addresses live below `apex.dns`, if anywhere. */
async function findAtApex(backend: Backend, query: BackendQuery): Promise<Found> {
  if (query.folded !== foldName(query.zone)) return backend.find(query, false);
  const apex = joinName('apex.dns', query.zone);
  const found = await backend.find({ ...query, name: apex, folded: foldName(apex) }, false);
  return found ?? backend.find(query, false);
}

interface Chased {
  readonly answers: readonly ResourceRecord[];
  readonly truncated: boolean;
}

const NOTHING: Chased = { answers: [], truncated: false };

async function chase(
  backend: Backend,
  query: BackendQuery,
  entry: BackendRecord,
  previous: readonly ResourceRecord[],
): Promise<Chased> {
  const target = fullyQualified(entry.host);
  const folded = foldName(target);
  // x CNAME x loops, and so does w.x CNAME x in a store that answers for whole subtrees.
  if (entry.host === '' || isSubdomain(query.folded, folded)) return NOTHING;
  if (previous.length >= MAX_CHAIN || previous.some((record) => pointsTo(record, folded)))
    return NOTHING;
  const cname = nameRecord(query.name, RecordType.CNAME, entry.ttlSeconds, target);
  if (isSubdomain(foldName(query.zone), folded)) {
    const next = await lookupWithChase(backend, { ...query, name: target, folded }, [
      ...previous,
      cname,
    ]);
    if (next.kind === 'missing') return NOTHING;
    if (next.answers.length === 0) return { answers: [], truncated: next.truncated };
    return { answers: [cname, ...next.answers], truncated: next.truncated };
  }
  const reply = await backend.resolve(query, target, query.type);
  return { answers: [cname, ...reply.answers], truncated: reply.truncated };
}

function pointsTo(record: ResourceRecord, folded: string): boolean {
  return record.data.kind === 'name' && foldName(record.data.target) === folded;
}
