import { Opcode, Rcode, RecordType } from '../../message/codes.ts';
import type { DnsMessage, ResourceRecord } from '../../message/message.ts';

/** What kind of reply it is, for keeping (coredns plugin/pkg/response). */
export type ReplyClass =
  | 'success'
  | 'delegation'
  | 'nameError'
  | 'noData'
  | 'serverError'
  | 'other';

export function classifyReply(message: DnsMessage): ReplyClass {
  const [question] = message.questions;
  if (question === undefined || message.opcode !== Opcode.QUERY) return 'other';
  if (question.type === RecordType.AXFR || question.type === RecordType.IXFR) return 'other';
  if (message.truncated) return 'other';
  const hasSoa = message.authorities.some(({ type }) => type === RecordType.SOA);
  if (message.answers.length > 0 && message.rcode === Rcode.NOERROR) return 'success';
  if (message.rcode === Rcode.NOERROR) {
    if (hasSoa) return 'noData';
    return message.authorities.some(({ type }) => type === RecordType.NS)
      ? 'delegation'
      : 'success';
  }
  if (message.rcode === Rcode.NXDOMAIN) return hasSoa ? 'nameError' : 'other';
  return message.rcode === Rcode.SERVFAIL ? 'serverError' : 'other';
}

/** Without records there is nothing to say how long: dnsutil.MinimalDefaultTTL. */
const NO_RECORDS_SECONDS = 5;
const MAX_SECONDS = 3600;

/** The least TTL of all records; the SOA's minimum counts in negative replies. */
export function minimalTtl(message: DnsMessage, replyClass: ReplyClass): number {
  const records = [...message.answers, ...message.authorities, ...message.additionals];
  if (records.length === 0) return NO_RECORDS_SECONDS;
  const negative = replyClass === 'nameError' || replyClass === 'noData';
  return records.reduce(
    (least, record) => Math.min(least, lifetimeOf(record, negative)),
    MAX_SECONDS,
  );
}

function lifetimeOf({ ttlSeconds, data }: ResourceRecord, negative: boolean): number {
  return negative && data.kind === 'soa' ? Math.min(ttlSeconds, data.minimumSeconds) : ttlSeconds;
}
