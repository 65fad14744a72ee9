import { CorefileError } from '../../corefile/corefile-error.ts';
import { goPattern } from '../../corefile/go-pattern.ts';
import type { Token } from '../../corefile/lexer.ts';
import { RecordType } from '../../message/codes.ts';
import type { DnsMessage, RecordData, ResourceRecord } from '../../message/message.ts';
import { foldName, fullyQualified, isSubdomain } from '../../message/name.ts';

/** How a rule finds names. */
export const MATCH_KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
export type MatchKind = (typeof MATCH_KINDS)[number];

/** The new name, or undefined when the rule does not apply. Names are folded. */
export type NameChange = (name: string) => string | undefined;

/** Builds the change for `kind FROM TO`. */
export function nameChange(kind: MatchKind, from: Token, to: string): NameChange {
  switch (kind) {
    case 'exact': {
      const exact = foldName(fullyQualified(from.text));
      return (name) => (name === exact ? fullyQualified(to) : undefined);
    }
    case 'prefix': {
      const prefix = foldName(from.text);
      return (name) => (name.startsWith(prefix) ? to + name.slice(prefix.length) : undefined);
    }
    case 'suffix': {
      const suffix = foldName(fullyQualified(from.text));
      const replacement = fullyQualified(to);
      return (name) =>
        name.endsWith(suffix)
          ? name.slice(0, name.length - suffix.length) + replacement
          : undefined;
    }
    case 'substring': {
      const part = foldName(from.text);
      return (name) => (name.includes(part) ? name.replaceAll(part, () => to) : undefined);
    }
    case 'regex': {
      const pattern = goPattern(from);
      return (name) => {
        const match = pattern.exec(name);
        return match === null ? undefined : fullyQualified(fillGroups(to, match));
      };
    }
  }
}

/** Takes a rename back, of the name itself and of all below it (`_http._tcp.NAME`). `renamed` folded. */
export function undoRename(renamed: string, asked: string): NameChange {
  return (name) =>
    isSubdomain(renamed, name)
      ? `${name.slice(0, name.length - renamed.length)}${asked}`
      : undefined;
}

/** `{1}` stands for the first group. */
function fillGroups(text: string, match: RegExpExecArray): string {
  return text.replace(/\{(\d+)\}/g, (_, group: string) => match[Number(group)] ?? '');
}

/** Changes names in a reply. */
export interface AnswerChange {
  readonly what: 'name' | 'value';
  readonly change: NameChange;
}

/** `answer name|value FROM TO`: regular expressions. */
export function answerChange(what: Token | undefined, from: Token, to: Token): AnswerChange {
  if (what?.text !== 'name' && what?.text !== 'value')
    throw new CorefileError(what ?? from, "answer: expected 'name', 'value' or 'auto'");
  return { what: what.text, change: nameChange('regex', from, to.text) };
}

/** Applies changes to the owners, or to the names records point at. */
export function changeReply(reply: DnsMessage, changes: readonly AnswerChange[]): DnsMessage {
  const changed = (records: readonly ResourceRecord[]): ResourceRecord[] =>
    records.map((entry) => changes.reduce(changeRecord, entry));
  return {
    ...reply,
    answers: changed(reply.answers),
    authorities: changed(reply.authorities),
    additionals: changed(reply.additionals),
  };
}

function changeRecord(entry: ResourceRecord, { what, change }: AnswerChange): ResourceRecord {
  if (entry.type === RecordType.OPT) return entry;
  if (what === 'name') return { ...entry, name: change(foldName(entry.name)) ?? entry.name };
  return { ...entry, data: changeData(entry.type, entry.data, change) };
}

/** As CoreDNS: of an SOA the server's name only, and of a PTR nothing. */
function changeData(type: number, data: RecordData, change: NameChange): RecordData {
  const renamed = (name: string): string => change(foldName(name)) ?? name;
  switch (data.kind) {
    case 'name':
      return type === RecordType.PTR ? data : { ...data, target: renamed(data.target) };
    case 'srv':
      return { ...data, target: renamed(data.target) };
    case 'mx':
      return { ...data, exchange: renamed(data.exchange) };
    case 'soa':
      return { ...data, mname: renamed(data.mname) };
    case 'address':
    case 'text':
    case 'raw':
      return data;
  }
}
