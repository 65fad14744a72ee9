import { Rcode, RecordType } from '../message/codes.ts';
import { replyTo, type ResourceRecord } from '../message/message.ts';
import { foldName, matchingZone } from '../message/name.ts';
import type { DnsRequest, Outcome } from '../plugin/plugin.ts';
import type { Backend, BackendQuery, LookupResult } from './backend.ts';

type FoundResult = Extract<LookupResult, { kind: 'found' }>;
type Reply = Extract<Outcome, { kind: 'reply' }>;

/** What every backend plugin says of a zone: who it is, and the SOA of its negative answers. */
export interface BackendVoice {
  readonly plugin: string;
  /** In the letter case of the question. */
  readonly soa: (query: BackendQuery) => ResourceRecord;
}

/** The question as a backend takes it; undefined when no zone is the name's. */
export function backendQuery(
  request: DnsRequest,
  zones: readonly string[],
): BackendQuery | undefined {
  const matched = matchingZone(zones, request.name);
  if (matched === undefined) return undefined;
  const { name, type } = request.question;
  const zone = name.slice(name.length - matched.length);
  return { request, name, folded: request.name, type, zone };
}

export function isApex(query: BackendQuery): boolean {
  return query.folded === foldName(query.zone);
}

export function foundOnly(
  answers: readonly ResourceRecord[],
  additionals: readonly ResourceRecord[] = [],
): FoundResult {
  return { kind: 'found', answers, additionals, truncated: false };
}

/** Tells NODATA from NXDOMAIN for types that a backend has nothing for. */
export async function existence(backend: Backend, query: BackendQuery): Promise<LookupResult> {
  const found = await backend.find({ ...query, type: RecordType.A }, false);
  return found === undefined ? { kind: 'missing' } : foundOnly([]);
}

/** The reply to what was found; without answers that is NODATA. */
export function foundReply(voice: BackendVoice, query: BackendQuery, found: FoundResult): Reply {
  const { answers, additionals, truncated } = found;
  if (answers.length === 0) return negativeReply(voice, query, Rcode.NOERROR);
  const parts = { authoritative: true, answers, additionals, truncated };
  const message = replyTo(query.request.message, parts);
  return { kind: 'reply', message, plugin: voice.plugin };
}

/** NXDOMAIN, NODATA or SERVFAIL with the zone's SOA in authority. */
export function negativeReply(voice: BackendVoice, query: BackendQuery, rcode: number): Reply {
  const authorities = [voice.soa(query)];
  const message = replyTo(query.request.message, { rcode, authoritative: true, authorities });
  return { kind: 'reply', message, plugin: voice.plugin };
}
