import { nameProblem } from '../../message/name.ts';
import { Rcode } from '../../message/codes.ts';
import { replyTo } from '../../message/message.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import type { ReplyChange, RewriteRule } from './rule.ts';

/** Changes queries on the way down and replies on the way up, invisible to the client. */
export class RewritePlugin implements Plugin {
  readonly name = 'rewrite';
  readonly #rules: readonly RewriteRule[];

  constructor(rules: readonly RewriteRule[]) {
    this.#rules = rules;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    let current = request;
    const changes: ReplyChange[] = [];
    for (const rule of this.#rules) {
      const applied = rule.apply(current);
      if (applied === undefined) continue;
      if (nameProblem(applied.request.question.name) !== undefined)
        return {
          kind: 'rcode',
          rcode: Rcode.SERVFAIL,
          error: new Error('invalid name after rewrite'),
        };
      current = applied.request;
      if (applied.onReply !== undefined) changes.unshift(applied.onReply);
      if (rule.stop) break;
    }
    if (current === request && changes.length === 0) return next(request);
    if (current.name !== request.name)
      request.trace?.add({ plugin: this.name, what: `${request.name} became ${current.name}` });
    return restored(await next(current), request, changes);
  }
}

/** The reply to the question that was asked, not to the one that was passed on. */
function restored(outcome: Outcome, request: DnsRequest, changes: readonly ReplyChange[]): Outcome {
  if (outcome.kind === 'drop' || outcome.kind === 'transfer') return outcome;
  // An error nobody wrote is written here: the server would answer the question that was passed on.
  const { message, plugin } =
    outcome.kind === 'reply'
      ? outcome
      : { message: replyTo(request.message, { rcode: outcome.rcode }), plugin: 'rewrite' };
  const changed = changes.reduce((reply, change) => change(reply), message);
  return {
    kind: 'reply',
    message: { ...changed, questions: [request.question] },
    plugin,
    ...(outcome.error === undefined ? {} : { error: outcome.error }),
  };
}
