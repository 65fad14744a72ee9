import type { DnsMessage, Edns, EdnsOption } from '../../message/message.ts';
import { foldName } from '../../message/name.ts';
import type { DnsRequest } from '../../plugin/plugin.ts';
import { changeReply, undoRename, type AnswerChange, type NameChange } from './name-rule.ts';

/** What a reply becomes on its way back. */
export type ReplyChange = (reply: DnsMessage) => DnsMessage;

/** A rule that applied: the request to pass on, and what to do with the reply. */
export interface Applied {
  readonly request: DnsRequest;
  readonly onReply?: ReplyChange;
}

export interface RewriteRule {
  /** The last rule to look at when it applies. */
  readonly stop: boolean;
  apply(request: DnsRequest): Applied | undefined;
}

/** The reverting of names that `name` rules do by default, exact ones without being told. */
export type AnswerMode =
  | { readonly kind: 'none' }
  /** `undo`: absent, the name that was renamed and what is below it get their name back. */
  | { readonly kind: 'auto'; readonly undo?: NameChange }
  | { readonly kind: 'rules'; readonly changes: readonly AnswerChange[] };

export function nameRule(stop: boolean, change: NameChange, mode: AnswerMode): RewriteRule {
  return {
    stop,
    apply(request) {
      const renamed = change(request.name);
      if (renamed === undefined || renamed === request.name) return undefined;
      const onReply = replyChangeFor(mode, request.question.name, foldName(renamed));
      return {
        request: withQuestion(request, { name: renamed }),
        ...(onReply === undefined ? {} : { onReply }),
      };
    },
  };
}

export function typeRule(stop: boolean, from: number, to: number): RewriteRule {
  return {
    stop,
    apply: (request) =>
      request.question.type === from ? { request: withQuestion(request, { type: to }) } : undefined,
  };
}

export function classRule(stop: boolean, from: number, to: number): RewriteRule {
  return {
    stop,
    apply: (request) =>
      request.question.class === from
        ? { request: withQuestion(request, { class: to }) }
        : undefined,
  };
}

/** TTLs become at least `minSeconds` and at most `maxSeconds`. */
export function ttlRule(
  stop: boolean,
  matches: (name: string) => boolean,
  range: { readonly minSeconds: number; readonly maxSeconds: number },
): RewriteRule {
  const onReply: ReplyChange = (reply) => {
    const limited = <T extends { readonly ttlSeconds: number }>(records: readonly T[]): T[] =>
      records.map((entry) => ({
        ...entry,
        ttlSeconds: Math.min(Math.max(entry.ttlSeconds, range.minSeconds), range.maxSeconds),
      }));
    return {
      ...reply,
      answers: limited(reply.answers),
      authorities: limited(reply.authorities),
      additionals: limited(reply.additionals),
    };
  };
  return {
    stop,
    apply: (request) => (matches(request.name) ? { request, onReply } : undefined),
  };
}

export function rcodeRule(
  stop: boolean,
  matches: (name: string) => boolean,
  from: number,
  to: number,
): RewriteRule {
  const onReply: ReplyChange = (reply) => (reply.rcode === from ? { ...reply, rcode: to } : reply);
  return {
    stop,
    apply: (request) => (matches(request.name) ? { request, onReply } : undefined),
  };
}

export type EdnsAction = 'set' | 'append' | 'replace' | 'unset';

/** Adds, replaces or takes away an option of the query; the reply does not give it away. */
export function ednsRule(
  stop: boolean,
  action: EdnsAction,
  option: (request: DnsRequest) => EdnsOption,
): RewriteRule {
  return {
    stop,
    apply(request) {
      const wanted = option(request);
      const before: Edns = request.message.edns ?? {
        udpBytes: 4096,
        version: 0,
        dnssecOk: false,
        options: [],
      };
      const has = before.options.some(({ code }) => code === wanted.code);
      if (action === 'replace' && !has) return undefined;
      if (action === 'append' && has) return undefined;
      if (action === 'unset' && !has) return undefined;
      const others = before.options.filter(({ code }) => code !== wanted.code);
      const options = action === 'unset' ? others : [...others, wanted];
      return {
        request: { ...request, message: { ...request.message, edns: { ...before, options } } },
      };
    },
  };
}

export function withQuestion(
  request: DnsRequest,
  parts: Partial<DnsRequest['question']>,
): DnsRequest {
  const question = { ...request.question, ...parts };
  return {
    ...request,
    question,
    name: foldName(question.name),
    message: { ...request.message, questions: [question] },
  };
}

function replyChangeFor(mode: AnswerMode, asked: string, renamed: string): ReplyChange | undefined {
  switch (mode.kind) {
    case 'none':
      return undefined;
    case 'auto': {
      const back = mode.undo ?? undoRename(renamed, asked);
      return (reply) =>
        changeReply(reply, [
          { what: 'name', change: back },
          { what: 'value', change: back },
        ]);
    }
    case 'rules':
      return (reply) => changeReply(reply, mode.changes);
  }
}
