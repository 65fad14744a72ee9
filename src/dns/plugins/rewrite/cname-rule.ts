import { RecordType } from '../../message/codes.ts';
import { nameRecord, type DnsMessage } from '../../message/message.ts';
import { foldName } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome } from '../../plugin/plugin.ts';
import type { NameChange } from './name-rule.ts';

/** `cname KIND FROM TO`: answers that are aliases of FROM become aliases of TO, resolved anew. */
export function cnameStep(
  change: NameChange,
): (request: DnsRequest, next: Handler) => Promise<Outcome> {
  return async (request, next) => {
    const outcome = await next(request);
    if (outcome.kind !== 'reply') return outcome;
    for (const [index, entry] of outcome.message.answers.entries()) {
      if (entry.type !== RecordType.CNAME || entry.data.kind !== 'name') continue;
      const target = change(foldName(entry.data.target));
      if (target === undefined) continue;
      const { type } = request.question;
      const resolved = type === RecordType.CNAME ? undefined : await request.lookup(target, type);
      const message: DnsMessage = {
        ...outcome.message,
        answers: [
          ...outcome.message.answers.slice(0, index),
          nameRecord(entry.name, RecordType.CNAME, entry.ttlSeconds, target),
          ...(resolved?.answers ?? []),
        ],
        rcode: resolved?.rcode ?? outcome.message.rcode,
      };
      return { ...outcome, message };
    }
    return outcome;
  };
}
