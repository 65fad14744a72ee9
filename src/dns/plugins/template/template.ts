import { className, Rcode, RecordType, typeCode, typeName } from '../../message/codes.ts';
import {
  EdnsOptionCode,
  replyTo,
  type DnsMessage,
  type Edns,
  type ResourceRecord,
} from '../../message/message.ts';
import { fullyQualified, matchingZone } from '../../message/name.ts';
import { parseRecordData, parseSeconds } from '../../message/record-text.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import type { Fallthrough } from '../../plugin/setup.ts';
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

/** Answers made from the question by rules (plugin/template). The first rule that matches decides. */
export class TemplatePlugin implements Plugin {
  readonly name = 'template';
  readonly #rules: readonly TemplateRule[];
  readonly #onMatch: (zone: string, recordClass: string, type: string) => void;

  constructor(
    rules: readonly TemplateRule[],
    onMatch: (zone: string, recordClass: string, type: string) => void,
  ) {
    this.#rules = rules;
    this.#onMatch = onMatch;
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
        if (matchingZone(rule.fallthrough?.zones ?? [], request.name) !== undefined) continue;
        return { kind: 'rcode', rcode: Rcode.SERVFAIL };
      }
      const { question } = request;
      this.#onMatch(data.Zone, className(question.class), typeName(question.type));
      return this.#reply(request, rule, data);
    }
    return next(request);
  }

  async #reply(request: DnsRequest, rule: TemplateRule, data: TemplateData): Promise<Outcome> {
    if (rule.rcode === Rcode.SERVFAIL && rule.answers.length === 0)
      return { kind: 'rcode', rcode: Rcode.SERVFAIL };
    const answers: ResourceRecord[] = [];
    for (const template of rule.answers) {
      const answer = recordFrom(template(data));
      answers.push(answer, ...(await chased(request, answer)));
    }
    const message: DnsMessage = replyTo(request.message, {
      authoritative: true,
      rcode: rule.rcode,
      answers,
      additionals: rule.additionals.map((template) => recordFrom(template(data))),
      authorities: rule.authorities.map((template) => recordFrom(template(data))),
    });
    const edns = rule.extendedError === undefined ? undefined : errorOption(rule.extendedError);
    return {
      kind: 'reply',
      message: edns === undefined ? message : { ...message, edns },
      plugin: this.name,
    };
  }
}

/** A CNAME that was not asked for is resolved. */
async function chased(request: DnsRequest, answer: ResourceRecord): Promise<ResourceRecord[]> {
  const { type } = request.question;
  const wanted = type === RecordType.A || type === RecordType.AAAA;
  if (!wanted || answer.type !== RecordType.CNAME || answer.data.kind !== 'name') return [];
  return [...(await request.lookup(answer.data.target, type)).answers];
}

function concerns(rule: TemplateRule, { question, name }: DnsRequest): boolean {
  if (rule.class !== undefined && rule.class !== question.class) return false;
  if (rule.type !== undefined && rule.type !== question.type) return false;
  return matchingZone(rule.zones, name) !== undefined;
}

function matchOf(rule: TemplateRule, request: DnsRequest): TemplateData | undefined {
  if (!concerns(rule, request)) return undefined;
  for (const pattern of rule.patterns) {
    const match = pattern.exec(request.name);
    if (match === null) continue;
    const groups = [...match].map((group) => group ?? '');
    return {
      Name: request.name,
      Zone: matchingZone(rule.zones, request.name) ?? '.',
      Type: typeName(request.question.type),
      Class: className(request.question.class),
      Remote: request.peer.address,
      Match: groups,
      Group: { ...Object.fromEntries(groups.entries()), ...match.groups },
      Meta: (label) => request.metadata.get(label)?.() ?? '',
    };
  }
  return undefined;
}

/** One record in presentation form: `name [TTL] [CLASS] TYPE data`. */
function recordFrom(line: string): ResourceRecord {
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|\S+/g)].map(([whole, quoted]) => ({
    text: quoted ?? whole,
    quoted: quoted !== undefined,
  }));
  const [owner, ...rest] = words;
  let ttlSeconds = 3600;
  while (rest[0] !== undefined && typeCode(rest[0].text) === undefined) {
    const seconds = parseSeconds(rest[0].text);
    if (seconds !== undefined) ttlSeconds = seconds;
    rest.shift();
  }
  const type = typeCode(rest.shift()?.text ?? '');
  if (owner === undefined || type === undefined) throw new Error(`not a record: '${line}'`);
  return {
    name: fullyQualified(owner.text),
    type,
    class: 1,
    ttlSeconds,
    data: parseRecordData(type, rest, '.'),
  };
}

function errorOption({ code, text }: { code: number; text: string }): Edns {
  const info = Buffer.alloc(2);
  info.writeUInt16BE(code);
  const data = Buffer.concat([info, Buffer.from(text, 'utf8')]);
  const options = [{ code: EdnsOptionCode.EXTENDED_ERROR, data }];
  return { udpBytes: 0, version: 0, dnssecOk: false, options };
}
