import { PodwireError } from '../../base/errors.ts';
import { parseCidr, parseIp } from '../../base/ip.ts';
import { rcodeCode, rcodeName, typeCode, typeName } from '../message/codes.ts';
import type { DnsFault, FaultAction, UpstreamFailure } from './dns-fault.ts';

const ACTIONS =
  'drop, delay=500ms, rcode=SERVFAIL, empty, truncate, unsynced, stale, upstream=SERVFAIL';
const CONDITIONS = 'name=, type=, client=, fraction=, count=';
/** A resolver has long given up then. */
const MAX_DELAY_MS = 60_000;

type Condition = Partial<Omit<DnsFault, 'action'>>;

/**
 * A fault as it is typed: what goes wrong, then whom it befalls, `delay=2s name=web.default.svc.cluster.local
 * type=AAAA client=127.244.0.0/16 fraction=0.5 count=10`. Throws a PodwireError with code `DNS_FAULT`.
 */
export function parseFault(words: readonly string[]): DnsFault {
  const [action = '', ...conditions] = words;
  return conditions.reduce<DnsFault>((fault, word) => ({ ...fault, ...parseCondition(word) }), {
    action: parseAction(action),
  });
}

/** The reverse of {@link parseFault}. */
export function formatFault({ action, name, type, client, fraction, count }: DnsFault): string {
  return [
    formatAction(action),
    ...(name === undefined ? [] : [`name=${name}`]),
    ...(type === undefined ? [] : [`type=${typeName(type)}`]),
    ...(client === undefined ? [] : [`client=${client}`]),
    ...(fraction === undefined ? [] : [`fraction=${fraction}`]),
    ...(count === undefined ? [] : [`count=${count}`]),
  ].join(' ');
}

/** A list of faults, one a line; `#` begins a comment. */
export function parseFaults(text: string): DnsFault[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => parseFault(line.split(/\s+/)));
}

function parseAction(word: string): FaultAction {
  const [kind = '', value = ''] = split(word);
  switch (kind) {
    case 'drop':
    case 'empty':
    case 'truncate':
    case 'unsynced':
    case 'stale':
      if (value === '') return { kind };
      return refuse(`${kind} takes no value, but '${value}' is given`);
    case 'delay':
      return { kind, delayMs: parseDelay(value) };
    case 'rcode':
      return { kind, rcode: parseRcode(value) };
    case 'upstream':
      return { kind, failure: parseFailure(value) };
    default:
      return refuse(`'${word}' is no fault; expected one of ${ACTIONS}`);
  }
}

function formatAction(action: FaultAction): string {
  switch (action.kind) {
    case 'delay':
      return `delay=${action.delayMs}ms`;
    case 'rcode':
      return `rcode=${rcodeName(action.rcode)}`;
    case 'upstream':
      return `upstream=${action.failure === 'timeout' ? 'timeout' : rcodeName(action.failure)}`;
    case 'drop':
    case 'empty':
    case 'truncate':
    case 'unsynced':
    case 'stale':
      return action.kind;
  }
}

function parseCondition(word: string): Condition {
  const [key = '', value = ''] = split(word);
  switch (key) {
    case 'name':
      return { name: value };
    case 'type':
      return {
        type: typeCode(value) ?? refuse(`type '${value}'; expected a record type such as AAAA`),
      };
    case 'client':
      if (parseIp(value) === undefined && parseCidr(value, { allowHostBits: true }) === undefined)
        return refuse(`client '${value}' is not an address or a CIDR`);
      return { client: value };
    case 'fraction': {
      const fraction = Number(value);
      if (!(fraction > 0 && fraction <= 1))
        return refuse(`fraction '${value}'; expected a number above 0 and up to 1`);
      return { fraction };
    }
    case 'count': {
      const count = Number(value);
      if (!Number.isInteger(count) || count < 1)
        return refuse(`count '${value}'; expected a whole number from 1`);
      return { count };
    }
    default:
      return refuse(`'${word}' is no condition; expected one of ${CONDITIONS}`);
  }
}

function parseDelay(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(text) ?? [];
  const delayMs = Number(number) * (unit === 's' ? 1000 : 1);
  if (number === '' || delayMs > MAX_DELAY_MS)
    return refuse(`delay '${text}'; expected a duration up to 60s, such as 500ms`);
  return delayMs;
}

function parseRcode(text: string): number {
  return rcodeCode(text) ?? refuse(`'${text}' is not a response code such as SERVFAIL`);
}

function parseFailure(text: string): UpstreamFailure {
  return text === 'timeout' ? 'timeout' : parseRcode(text);
}

function split(word: string): string[] {
  const at = word.indexOf('=');
  return at === -1 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

function refuse(message: string): never {
  throw new PodwireError('DNS_FAULT', message);
}
