import { formatHostPort } from '../../base/ip.ts';
import { Rcode, rcodeName, typeName } from '../message/codes.ts';
import type { Outcome } from '../plugin/plugin.ts';
import type { TraceStep } from '../plugin/query-trace.ts';
import type { ObservedQuery } from '../server/observed-query.ts';

/** One line: what was asked, by whom, what came of it, and every step on the way. */
export function formatQuery(query: ObservedQuery): string {
  const { dispatched, pod, steps, durationMs } = query;
  const { question, peer } = dispatched.request;
  const who = pod === undefined ? '' : ` (Pod ${pod})`;
  const asked = `${typeName(question.type)} ${question.name} from ${formatHostPort(peer.address, peer.port)}${who} over ${peer.protocol}`;
  const answered = `${outcomeText(dispatched.outcome)} in ${durationMs.toFixed(2)} ms`;
  return [`${asked}: ${answered}`, ...steps.map(formatStep)].join('; ');
}

export function formatStep({ plugin, what, object }: TraceStep): string {
  return `${plugin === '' ? 'server' : plugin}: ${what}${object === undefined ? '' : ` [${object}]`}`;
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'drop':
      return 'no reply';
    case 'rcode':
      return rcodeName(outcome.rcode);
    case 'transfer':
      return `a transfer of ${outcome.messages.length} message(s) by ${outcome.plugin}`;
    case 'reply': {
      const { rcode, answers } = outcome.message;
      const noData = rcode === Rcode.NOERROR && answers.length === 0;
      return `${noData ? 'NODATA' : rcodeName(rcode)} by ${outcome.plugin}`;
    }
  }
}
