import { RecordType } from '../message/codes.ts';
import {
  addressRecord,
  nameRecord,
  resourceRecord,
  type ResourceRecord,
} from '../message/message.ts';
import { foldName, fullyQualified, isSubdomain, labelsOf } from '../message/name.ts';
import type { Backend, BackendQuery, BackendRecord, Found, LookupResult } from './backend.ts';
import { hostKind, lookupWithChase } from './lookup-addresses.ts';

/** SRV: a target for every address and port, weights in percent of their priority, glue. */
export async function lookupSrv(backend: Backend, query: BackendQuery): Promise<LookupResult> {
  const found = await backend.find(query, false);
  if (found === undefined) return { kind: 'missing' };
  const weightOf = relativeWeights(found);
  const answers: ResourceRecord[] = [];
  const glue = new Glue(backend, query);
  const seen = new Set<string>();
  for (const entry of found) {
    if (entry.port === -1) continue;
    const target = targetOf(entry);
    if (target === undefined) continue;
    const key = `${target} ${entry.port}`;
    const isAddress = isAddressKind(entry);
    // Two addresses of one name are one target; two entries that say the same name are not merged.
    if (!isAddress || !seen.has(key))
      answers.push(
        resourceRecord(query.name, RecordType.SRV, entry.ttlSeconds, {
          kind: 'srv',
          priority: entry.priority,
          weight: weightOf(entry),
          port: entry.port,
          target,
        }),
      );
    seen.add(key);
    await glue.add(entry, target);
  }
  return { kind: 'found', answers, additionals: glue.records, truncated: false };
}

/** MX: entries marked as mail. */
export async function lookupMx(backend: Backend, query: BackendQuery): Promise<LookupResult> {
  const found = await backend.find(query, false);
  if (found === undefined) return { kind: 'missing' };
  const answers: ResourceRecord[] = [];
  const glue = new Glue(backend, query);
  const seen = new Set<string>();
  for (const entry of found.filter((candidate) => candidate.mail === true)) {
    const exchange = targetOf(entry);
    if (exchange === undefined) continue;
    const key = `${exchange} ${entry.priority}`;
    if (!isAddressKind(entry) || !seen.has(key))
      answers.push(
        resourceRecord(query.name, RecordType.MX, entry.ttlSeconds, {
          kind: 'mx',
          preference: entry.priority,
          exchange,
        }),
      );
    seen.add(key);
    await glue.add(entry, exchange);
  }
  return { kind: 'found', answers, additionals: glue.records, truncated: false };
}

/** CNAME: the first entry, if it is a name; never chased. */
export async function lookupCname(backend: Backend, query: BackendQuery): Promise<LookupResult> {
  const found = await backend.find(query, true);
  if (found === undefined) return { kind: 'missing' };
  const first = found[0];
  const answers =
    first === undefined || first.host === '' || isAddressKind(first)
      ? []
      : [nameRecord(query.name, RecordType.CNAME, first.ttlSeconds, fullyQualified(first.host))];
  return { kind: 'found', answers, additionals: [], truncated: false };
}

/** PTR: each name once. */
export async function lookupPtr(backend: Backend, query: BackendQuery): Promise<LookupResult> {
  const found: Found = await backend.findReverse(query);
  if (found === undefined) return { kind: 'missing' };
  const targets = new Map(
    found
      .filter((entry) => !isAddressKind(entry) && entry.host !== '')
      .map((entry) => [fullyQualified(entry.host), entry.ttlSeconds]),
  );
  const answers = [...targets].map(([target, ttlSeconds]) =>
    nameRecord(query.name, RecordType.PTR, ttlSeconds, target),
  );
  return { kind: 'found', answers, additionals: [], truncated: false };
}

/**
 * floor(100 × weight / sum of the weights of that priority), at least 1. The sum runs over every entry,
 * also over those that turn out to be duplicates, as in plugin/backend_lookup.go.
 */
function relativeWeights(found: readonly BackendRecord[]): (entry: BackendRecord) => number {
  const sums = new Map<number, number>();
  for (const entry of found)
    sums.set(entry.priority, (sums.get(entry.priority) ?? 0) + (entry.weight || 100));
  return (entry) =>
    Math.max(1, Math.floor((100 / (sums.get(entry.priority) ?? 100)) * (entry.weight || 100)));
}

function isAddressKind(entry: BackendRecord): boolean {
  const kind = hostKind(entry);
  return kind === 'IPv4' || kind === 'IPv6';
}

function targetOf(entry: BackendRecord): string | undefined {
  if (!isAddressKind(entry)) return entry.host === '' ? undefined : fullyQualified(entry.host);
  const strip = entry.targetStrip ?? 0;
  if (strip === 0) return entry.name;
  const labels = labelsOf(entry.name).slice(strip);
  return labels.length === 0 ? '.' : `${labels.join('.')}.`;
}

/** The additional section: addresses of targets, each name and address once. */
class Glue {
  readonly records: ResourceRecord[] = [];
  readonly #backend: Backend;
  readonly #query: BackendQuery;
  readonly #seen = new Set<string>();

  constructor(backend: Backend, query: BackendQuery) {
    this.#backend = backend;
    this.#query = query;
  }

  async add(entry: BackendRecord, target: string): Promise<void> {
    const key = isAddressKind(entry) ? `${target} ${entry.host}` : target;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (isAddressKind(entry)) {
      this.records.push(addressRecord(target, entry.ttlSeconds, entry.host));
    } else if (isSubdomain(foldName(this.#query.zone), foldName(target))) {
      await this.#addInside(target);
    } else {
      await this.#addOutside(target);
    }
  }

  // CoreDNS adds only A for names inside the zone.
  async #addInside(target: string): Promise<void> {
    const query = { ...this.#query, name: target, folded: foldName(target), type: RecordType.A };
    const result = await lookupWithChase(this.#backend, query);
    if (result.kind === 'found') this.records.push(...result.answers);
  }

  async #addOutside(target: string): Promise<void> {
    const ipv4 = await this.#backend.resolve(this.#query, target, RecordType.A);
    this.records.push(...ipv4.answers);
    const ipv6 = await this.#backend.resolve(this.#query, target, RecordType.AAAA);
    this.records.push(...ipv6.answers.filter((answer) => answer.type !== RecordType.CNAME));
  }
}
