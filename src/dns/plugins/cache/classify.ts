import { Opcode, Rcode, RecordType } from '../../message/codes.ts';
import type { DnsMessage } from '../../message/message.ts';

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

/** When nothing says how long: dnsutil.MinimalDefaultTTL. */
const SHORT_SECONDS = 5;
const MAX_SECONDS = 3600;

/** The least TTL of all records, the SOA's own included; what is neither an answer nor a denial is kept shortly. */
export function minimalTtl(message: DnsMessage, replyClass: ReplyClass): number {
  const records = [...message.answers, ...message.authorities, ...message.additionals];
  if (records.length === 0 || replyClass === 'delegation') return SHORT_SECONDS;
  return records.reduce((least, { ttlSeconds }) => Math.min(least, ttlSeconds), MAX_SECONDS);
}
