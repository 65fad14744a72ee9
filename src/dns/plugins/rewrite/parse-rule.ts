import { parseIp } from '../../../base/ip.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import { classCode, rcodeCode, typeCode } from '../../message/codes.ts';
import { EdnsOptionCode, type EdnsOption } from '../../message/message.ts';
import type { DnsRequest } from '../../plugin/plugin.ts';
import { integerArgument } from '../../plugin/setup.ts';
import {
  answerChange,
  MATCH_KINDS,
  nameChange,
  type AnswerChange,
  type MatchKind,
  type NameChange,
} from './name-rule.ts';
import {
  classRule,
  ednsRule,
  nameRule,
  rcodeRule,
  ttlRule,
  typeRule,
  type AnswerMode,
  type EdnsAction,
  type RewriteRule,
} from './rule.ts';

const EDNS_ACTIONS = ['set', 'append', 'replace', 'unset'] as const;
const FIELDS = ['name', 'type', 'class', 'ttl', 'rcode', 'cname', 'edns0', 'answer'];

/** A rule, or a CNAME rule, which needs the chain below it. */
export type ParsedRule =
  | { readonly kind: 'rule'; readonly rule: RewriteRule }
  | { readonly kind: 'cname'; readonly change: NameChange };

/** The words of one rule after `rewrite [continue|stop]`. */
export function parseRule(stop: boolean, words: readonly Token[], at: Token): ParsedRule {
  const [first, ...rest] = words;
  const field = first ?? at;
  switch (first?.text ?? '') {
    case 'name':
      return asRule(parseNameRule(stop, rest, field));
    case 'type':
      return asRule(codeRule(stop, rest, field, typeCode, typeRule));
    case 'class':
      return asRule(codeRule(stop, rest, field, classCode, classRule));
    case 'ttl':
      return asRule(parseTtlRule(stop, rest, field));
    case 'rcode':
      return asRule(parseRcodeRule(stop, rest, field));
    case 'cname':
      return { kind: 'cname', change: parseMatch(rest, field).change };
    case 'edns0':
      return asRule(parseEdnsRule(stop, rest, field));
    default:
      throw new CorefileError(
        field,
        `invalid rule '${first?.text ?? ''}'; expected one of ${FIELDS.join(', ')}`,
      );
  }
}

function asRule(rule: RewriteRule): ParsedRule {
  return { kind: 'rule', rule };
}

interface ParsedMatch {
  readonly kind: MatchKind;
  readonly change: NameChange;
  readonly rest: readonly Token[];
}

/** `[exact|prefix|suffix|substring|regex] FROM TO`. */
function parseMatch(words: readonly Token[], at: Token): ParsedMatch {
  const kind = MATCH_KINDS.find((candidate) => candidate === words[0]?.text);
  const [from, to, ...rest] = kind === undefined ? words : words.slice(1);
  if (from === undefined || to === undefined)
    throw new CorefileError(at, `${at.text}: expected [${MATCH_KINDS.join('|')}] FROM TO`);
  return { kind: kind ?? 'exact', change: nameChange(kind ?? 'exact', from, to.text), rest };
}

function parseNameRule(stop: boolean, words: readonly Token[], at: Token): RewriteRule {
  const { kind, change, rest } = parseMatch(words, at);
  const mode = answerMode(kind, rest, at);
  const [from, to] = kind === 'exact' ? [] : words.slice(1);
  // A suffix is put back wherever the new one stands, not only in the name that was asked.
  if (mode.kind === 'auto' && kind === 'suffix' && from !== undefined && to !== undefined)
    return nameRule(stop, change, { ...mode, undo: nameChange('suffix', to, from.text) });
  return nameRule(stop, change, mode);
}

/** Exact renames are undone in the reply without being told (`answer auto` for the others). */
function answerMode(kind: MatchKind, words: readonly Token[], at: Token): AnswerMode {
  if (words.length === 0) return { kind: kind === 'exact' ? 'auto' : 'none' };
  const changes: AnswerChange[] = [];
  for (let index = 0; index < words.length; ) {
    const [answer, what, from, to] = words.slice(index, index + 4);
    if (answer?.text !== 'answer')
      throw new CorefileError(answer ?? at, "expected 'answer' after the rename");
    if (what?.text === 'auto') return { kind: 'auto' };
    if (from === undefined || to === undefined)
      throw new CorefileError(answer, 'answer: expected auto, or name|value FROM TO');
    changes.push(answerChange(what, from, to));
    index += 4;
  }
  return { kind: 'rules', changes };
}

function codeRule(
  stop: boolean,
  [from, to]: readonly Token[],
  at: Token,
  lookup: (name: string) => number | undefined,
  build: (stop: boolean, from: number, to: number) => RewriteRule,
): RewriteRule {
  const code = (token: Token | undefined): number => {
    const value = lookup(token?.text ?? '');
    if (value === undefined)
      throw new CorefileError(token ?? at, `invalid ${at.text} '${token?.text ?? ''}'`);
    return value;
  };
  return build(stop, code(from), code(to));
}

/** `[KIND] NAME SECONDS|MIN-MAX`. */
function parseTtlRule(stop: boolean, words: readonly Token[], at: Token): RewriteRule {
  const { name, value } = parseCondition(words, at);
  const [, low, dash, high] = /^(\d*)(-?)(\d*)$/.exec(value.text) ?? [];
  if (low === undefined || (low === '' && high === ''))
    throw new CorefileError(value, `invalid TTL '${value.text}'; expected SECONDS or MIN-MAX`);
  const minSeconds = Number(low);
  const maxSeconds = dash === '' ? minSeconds : high === '' ? 0xffff_ffff : Number(high);
  return ttlRule(stop, name, { minSeconds, maxSeconds });
}

/** `[KIND] NAME FROM TO`. */
function parseRcodeRule(stop: boolean, words: readonly Token[], at: Token): RewriteRule {
  const to = words.at(-1);
  const { name, value: from } = parseCondition(words.slice(0, -1), at);
  const code = (token: Token): number => {
    const value = rcodeCode(token.text);
    if (value === undefined) throw new CorefileError(token, `invalid rcode '${token.text}'`);
    return value;
  };
  if (to === undefined) throw new CorefileError(at, 'rcode: expected NAME FROM TO');
  return rcodeRule(stop, name, code(from), code(to));
}

function parseCondition(
  words: readonly Token[],
  at: Token,
): { name: (name: string) => boolean; value: Token } {
  const kind = MATCH_KINDS.find((candidate) => candidate === words[0]?.text);
  const [pattern, value] = kind === undefined ? words : words.slice(1);
  if (pattern === undefined || value === undefined)
    throw new CorefileError(at, `${at.text}: expected [${MATCH_KINDS.join('|')}] NAME VALUE`);
  const change = nameChange(kind ?? 'exact', pattern, 'x');
  return { name: (name) => change(name) !== undefined, value };
}

/** `local|nsid|subnet set|append|replace|unset ...`. */
function parseEdnsRule(stop: boolean, words: readonly Token[], at: Token): RewriteRule {
  const [kind, actionToken, ...rest] = words;
  const what = kind ?? at;
  const action = EDNS_ACTIONS.find((candidate) => candidate === actionToken?.text);
  if (action === undefined)
    throw new CorefileError(actionToken ?? at, `edns0: expected one of ${EDNS_ACTIONS.join(', ')}`);
  if (action === 'unset') return unsetOption(stop, what, rest[0]);
  switch (kind?.text ?? '') {
    case 'nsid': {
      const option: EdnsOption = { code: EdnsOptionCode.NSID, data: Buffer.alloc(0) };
      return ednsRule(stop, action, () => option);
    }
    case 'local':
      return parseLocalOption(stop, action, rest, what);
    case 'subnet':
      return parseSubnetOption(stop, action, rest, what);
    default:
      throw new CorefileError(what, 'edns0: expected local, nsid or subnet');
  }
}

function unsetOption(stop: boolean, kind: Token, code: Token | undefined): RewriteRule {
  const codes: Record<string, number> = {
    nsid: EdnsOptionCode.NSID,
    subnet: EdnsOptionCode.SUBNET,
  };
  const known = kind.text === 'local' && code !== undefined ? optionCode(code) : codes[kind.text];
  if (known === undefined)
    throw new CorefileError(kind, 'edns0 unset: expected local CODE, nsid or subnet');
  return ednsRule(stop, 'unset', () => ({ code: known, data: Buffer.alloc(0) }));
}

function optionCode(token: Token): number {
  const code = Number(token.text);
  if (!(Number.isInteger(code) && code >= 0 && code <= 0xffff))
    throw new CorefileError(token, `'${token.text}' is not an option code, e.g. 0xffee`);
  return code;
}

function parseLocalOption(
  stop: boolean,
  action: EdnsAction,
  [codeToken, data]: readonly Token[],
  at: Token,
): RewriteRule {
  if (codeToken === undefined || data === undefined)
    throw new CorefileError(at, 'edns0 local: expected a code and data');
  const code = optionCode(codeToken);
  const { text } = data;
  if (/^\{.+\}$/.test(text))
    return ednsRule(stop, action, (request) => ({
      code,
      data: variableData(text.slice(1, -1), request),
    }));
  const bytes = /^0x[0-9a-fA-F]*$/.test(text)
    ? Buffer.from(text.slice(2), 'hex')
    : Buffer.from(text, 'utf8');
  return ednsRule(stop, action, () => ({ code, data: bytes }));
}

function variableData(name: string, request: DnsRequest): Buffer {
  const { peer, local, question } = request;
  const uint16 = (value: number): Buffer => Buffer.from([value >>> 8, value & 0xff]);
  switch (name) {
    case 'qname':
      return Buffer.from(question.name, 'latin1');
    case 'qtype':
      return uint16(question.type);
    case 'client_ip':
      return addressBytes(peer.address);
    case 'client_port':
      return uint16(peer.port);
    case 'protocol':
      return Buffer.from(peer.protocol, 'latin1');
    case 'server_ip':
      return addressBytes(local.address);
    case 'server_port':
      return uint16(local.port);
    default:
      return Buffer.from(request.metadata.get(name)?.() ?? '', 'utf8');
  }
}

/** Client subnet (RFC 7871) of the client's own address. */
function parseSubnetOption(
  stop: boolean,
  action: EdnsAction,
  [ipv4, ipv6]: readonly Token[],
  at: Token,
): RewriteRule {
  if (ipv4 === undefined || ipv6 === undefined)
    throw new CorefileError(at, 'edns0 subnet: expected two prefix lengths');
  const bits = {
    IPv4: integerArgument(ipv4, 'IPv4 prefix length', { min: 0, max: 32 }),
    IPv6: integerArgument(ipv6, 'IPv6 prefix length', { min: 0, max: 128 }),
  };
  return ednsRule(stop, action, ({ peer }) => {
    const prefix = bits[peer.family];
    const address = addressBytes(peer.address).subarray(0, Math.ceil(prefix / 8));
    const unused = 8 * address.length - prefix;
    const last = address.length - 1;
    if (last >= 0) address[last] = ((address[last] ?? 0) >>> unused) << unused;
    const head = Buffer.from([0, peer.family === 'IPv4' ? 1 : 2, prefix, 0]);
    return { code: EdnsOptionCode.SUBNET, data: Buffer.concat([head, address]) };
  });
}

function addressBytes(address: string): Buffer {
  const ip = parseIp(address);
  if (ip === undefined) return Buffer.alloc(0);
  const digits = ip.family === 'IPv4' ? 8 : 32;
  return Buffer.from(ip.value.toString(16).padStart(digits, '0'), 'hex');
}
