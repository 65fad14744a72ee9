import { Rcode } from '../../message/codes.ts';
import type { Outcome } from '../../plugin/plugin.ts';

/** CoreDNS plugin/pkg/response: what a log rule may select. */
export type LogClass = 'success' | 'denial' | 'error';

export function classOfReply(outcome: Outcome): LogClass {
  if (outcome.kind === 'transfer') return 'success';
  if (outcome.kind !== 'reply') return 'error';
  const { rcode, answers, authorities } = outcome.message;
  if (rcode === Rcode.NXDOMAIN) return 'denial';
  if (rcode !== Rcode.NOERROR) return 'error';
  return answers.length === 0 && authorities.some(({ data }) => data.kind === 'soa')
    ? 'denial'
    : 'success';
}
