import { Rcode, rcodeName, RecordType, typeName } from '../message/codes.ts';
import { queryFor, type DnsMessage, type ResourceRecord } from '../message/message.ts';
import { fullyQualified } from '../message/name.ts';
import type { Peer } from '../plugin/plugin.ts';
import type { TraceStep } from '../plugin/query-trace.ts';
import type { ResolvConf } from '../resolv-conf/resolv-conf.ts';
import type { TracedAnswer } from '../server/dns-server.ts';

/** What one query of a walk got. */
export interface ExplainedQuery {
  readonly name: string;
  readonly type: string;
  /** `no reply` when there was none. */
  readonly result: string;
  readonly answers: readonly ResourceRecord[];
  readonly fromCache: boolean;
  /** Who answered; empty when nobody did. */
  readonly plugin: string;
  readonly steps: readonly TraceStep[];
}

/** One name of the search walk with its queries. */
export interface ExplainedName {
  readonly name: string;
  /** Which search domain made it; absent for the name as given. */
  readonly searchDomain?: string;
  readonly queries: readonly ExplainedQuery[];
}

export interface Explanation {
  readonly asked: string;
  readonly names: readonly ExplainedName[];
  /** The name that had data. */
  readonly found?: string;
  readonly ndots: number;
  readonly queries: number;
  /** Queries before those that found it, or all. */
  readonly wasted: number;
}

export interface ExplainInput {
  readonly name: string;
  /** One type, or A and AAAA as getaddrinfo asks. */
  readonly types: readonly number[];
  readonly resolvConf: ResolvConf;
  readonly peer: Peer;
  readonly ask: (message: DnsMessage, peer: Peer) => Promise<TracedAnswer>;
}

/** resolv.conf(5): without the option. */
const DEFAULT_NDOTS = 1;

/** Asks as a stub resolver (glibc) would, name after name, and keeps what each query says. */
export async function explainName(input: ExplainInput): Promise<Explanation> {
  const ndots = ndotsOf(input.resolvConf);
  const names: ExplainedName[] = [];
  let found: string | undefined;
  for (const candidate of candidatesFor(input.name, input.resolvConf.searches, ndots)) {
    const queries: ExplainedQuery[] = [];
    for (const type of input.types) queries.push(await explainQuery(input, candidate.name, type));
    names.push({ ...candidate, queries });
    if (queries.some(({ answers }) => answers.length > 0)) {
      found = candidate.name;
      break;
    }
  }
  const queries = names.reduce((sum, name) => sum + name.queries.length, 0);
  const useful = found === undefined ? 0 : (names.at(-1)?.queries.length ?? 0);
  return {
    asked: input.name,
    names,
    ...(found === undefined ? {} : { found }),
    ndots,
    queries,
    wasted: queries - useful,
  };
}

/** The names a resolver tries, in order. */
export function candidatesFor(
  name: string,
  searches: readonly string[],
  ndots: number,
): { readonly name: string; readonly searchDomain?: string }[] {
  if (name.endsWith('.')) return [{ name }];
  const absolute = { name: fullyQualified(name) };
  const completed = searches.map((domain) => ({
    name: domain === '.' ? fullyQualified(name) : fullyQualified(`${name}.${domain}`),
    searchDomain: domain,
  }));
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [absolute, ...completed] : [...completed, absolute];
}

function ndotsOf({ options }: ResolvConf): number {
  const value = options.findLast((option) => option.startsWith('ndots:'))?.slice('ndots:'.length);
  // glibc caps it.
  return value === undefined ? DEFAULT_NDOTS : Math.min(15, Number(value));
}

async function explainQuery(
  { ask, peer }: ExplainInput,
  name: string,
  type: number,
): Promise<ExplainedQuery> {
  const { reply, trace } = await ask(queryFor({ name, type }), peer);
  const answered = trace.steps.findLast(({ plugin }) => plugin !== '' && plugin !== 'cache');
  const fromCache = trace.steps.some(
    ({ plugin, what }) => plugin === 'cache' && what.startsWith('from the cache'),
  );
  return {
    name,
    type: typeName(type),
    result: reply === undefined ? 'no reply' : resultOf(reply),
    answers: reply?.answers ?? [],
    fromCache,
    plugin: fromCache ? 'cache' : (answered?.plugin ?? ''),
    steps: trace.steps,
  };
}

function resultOf({ rcode, answers }: DnsMessage): string {
  return rcode === Rcode.NOERROR && answers.length === 0 ? 'NODATA' : rcodeName(rcode);
}

/** What getaddrinfo asks for when no type is given. */
export const ADDRESS_TYPES: readonly number[] = [RecordType.A, RecordType.AAAA];
