import { errorMessage } from '../../../base/errors.ts';
import { className, Rcode, RecordClass, RecordType, typeName } from '../../message/codes.ts';
import {
  EdnsOptionCode,
  replyTo,
  type DnsMessage,
  type Edns,
  type ResourceRecord,
} from '../../message/message.ts';
import { matchingZone } from '../../message/name.ts';
import { parseRecord } from '../../message/zone-file.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { fallsThrough, type Fallthrough } from '../../plugin/setup.ts';
import type { GoTemplate, TemplateData } from './go-template.ts';

export interface TemplateRule {
  /** Absent: any. */
  readonly class: number | undefined;
  readonly type: number | undefined;
  readonly zones: readonly string[];
  readonly patterns: readonly RegExp[];
  readonly answers: readonly GoTemplate[];
  readonly additionals: readonly GoTemplate[];
  readonly authorities: readonly GoTemplate[];
  readonly rcode: number;
  readonly extendedError?: { readonly code: number; readonly text: string };
  readonly fallthrough?: Fallthrough;
}

/** The counters of plugin/template, for one server. */
export interface TemplateCounters {
  matched(data: TemplateData): void;
  /** A template made something that is no record. */
  failed(data: TemplateData, section: Section, template: string): void;
}

export type Section = 'answer' | 'additional' | 'authority';

/** Answers made from the question by rules (plugin/template). The first rule that matches decides. */
export class TemplatePlugin implements Plugin {
  readonly name = 'template';
  readonly #rules: readonly TemplateRule[];
  readonly #counters: TemplateCounters;

  constructor(rules: readonly TemplateRule[], counters: TemplateCounters) {
    this.#rules = rules;
    this.#counters = counters;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const zone = matchingZone(
      this.#rules.flatMap(({ zones }) => zones),
      request.name,
    );
    if (zone === undefined) return next(request);
    for (const rule of this.#rules) {
      const data = matchOf(rule, request);
      if (data === undefined) {
        if (!concerns(rule, request)) continue;
        if (fallsThrough(rule.fallthrough, request.name)) continue;
        return { kind: 'rcode', rcode: Rcode.SERVFAIL };
      }
      this.#counters.matched(data);
      return this.#reply(request, rule, data);
    }
    return next(request);
  }

  async #reply(request: DnsRequest, rule: TemplateRule, data: TemplateData): Promise<Outcome> {
    if (rule.rcode === Rcode.SERVFAIL && rule.answers.length === 0)
      return { kind: 'rcode', rcode: Rcode.SERVFAIL };
    const answers: ResourceRecord[] = [];
    let parts: Pick<DnsMessage, 'additionals' | 'authorities'>;
    try {
      for (const answer of this.#records('answer', rule.answers, data))
        answers.push(answer, ...(await chased(request, answer)));
      parts = {
        additionals: this.#records('additional', rule.additionals, data),
        authorities: this.#records('authority', rule.authorities, data),
      };
    } catch (error) {
      return { kind: 'rcode', rcode: Rcode.SERVFAIL, error: new Error(errorMessage(error)) };
    }
    const { rcode, extendedError } = rule;
    const reply = { authoritative: true, rcode, answers, ...parts };
    const edns = extendedError === undefined ? {} : { edns: errorOption(extendedError) };
    const message = replyTo(request.message, { ...reply, ...edns });
    return { kind: 'reply', message, plugin: this.name };
  }

  #records(
    section: Section,
    templates: readonly GoTemplate[],
    data: TemplateData,
  ): ResourceRecord[] {
    return templates.map((template) => {
      try {
        return parseRecord(template.render(data));
      } catch (error) {
        this.#counters.failed(data, section, template.text);
        throw error;
      }
    });
  }
}

/** A CNAME that was not asked for is resolved. */
async function chased(request: DnsRequest, answer: ResourceRecord): Promise<ResourceRecord[]> {
  const { type } = request.question;
  const wanted = type === RecordType.A || type === RecordType.AAAA;
  if (!wanted || answer.type !== RecordType.CNAME || answer.data.kind !== 'name') return [];
  return [...(await request.lookup(answer.data.target, type)).answers];
}

/** Who asks for any type or class asks for the rule's. */
function concerns(rule: TemplateRule, { question, name }: DnsRequest): boolean {
  const isClass = question.class === RecordClass.ANY || question.class === rule.class;
  if (rule.class !== undefined && !isClass) return false;
  const isType = question.type === RecordType.ANY || question.type === rule.type;
  if (rule.type !== undefined && !isType) return false;
  return matchingZone(rule.zones, name) !== undefined;
}

function typeOf(rule: TemplateRule, asked: number): number {
  return asked === RecordType.ANY ? (rule.type ?? asked) : asked;
}

function classOf(rule: TemplateRule, asked: number): number {
  return asked === RecordClass.ANY ? (rule.class ?? asked) : asked;
}

function matchOf(rule: TemplateRule, request: DnsRequest): TemplateData | undefined {
  if (!concerns(rule, request)) return undefined;
  const { question } = request;
  for (const pattern of rule.patterns) {
    const match = pattern.exec(request.name);
    if (match === null) continue;
    const groups = [...match].map((group) => group ?? '');
    return {
      Name: request.name,
      Zone: matchingZone(rule.zones, request.name) ?? '.',
      Type: typeName(typeOf(rule, question.type)),
      Class: className(classOf(rule, question.class)),
      Remote: request.peer.address,
      Match: groups,
      Group: { ...Object.fromEntries(groups.entries()), ...match.groups },
      Meta: (label) => request.metadata.get(label)?.() ?? '',
      Question: { Name: question.name, Qtype: question.type, Qclass: question.class },
      Message: { Id: request.message.id },
    };
  }
  return undefined;
}

function errorOption({ code, text }: { code: number; text: string }): Edns {
  const info = Buffer.alloc(2);
  info.writeUInt16BE(code);
  const data = Buffer.concat([info, Buffer.from(text, 'utf8')]);
  const options = [{ code: EdnsOptionCode.EXTENDED_ERROR, data }];
  return { udpBytes: 0, version: 0, dnssecOk: false, options };
}
