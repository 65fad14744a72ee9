import { RecordType } from '../../message/codes.ts';
import { addressRecord, nameRecord, replyTo, type ResourceRecord } from '../../message/message.ts';
import { addressOfReverseName, matchingZone, nextDot } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { fallsThrough, type Fallthrough } from '../../plugin/setup.ts';
import { Rcode } from '../../message/codes.ts';
import { Stamps } from '../../plugin/stamps.ts';
import type { HostsTable } from './hosts-file.ts';

export interface HostsOptions {
  readonly zones: readonly string[];
  readonly ttlSeconds: number;
  readonly reverse: boolean;
  readonly fallthrough: Fallthrough | undefined;
}

const ALL = 'hosts';

/** Answers from a hosts file (plugin/hosts): addresses by name, names by address. */
export class HostsPlugin implements Plugin {
  readonly name = 'hosts';
  readonly declaresReuse = true;
  readonly #options: HostsOptions;
  readonly #stamps = new Stamps();
  #byAddress: HostsTable = new Map();
  #byName: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(options: HostsOptions) {
    this.#options = options;
  }

  /** Puts another table in force; names outside the zones are left out. Returns how many entries there are, both ways. */
  replace(table: HostsTable): number {
    const { zones, reverse } = this.#options;
    const byName = new Map<string, string[]>();
    const byAddress = new Map<string, string[]>();
    let entries = 0;
    for (const [address, names] of table) {
      const own = names.filter((name) => matchingZone(zones, name) !== undefined);
      entries += own.length * (reverse ? 2 : 1);
      for (const name of own) byName.set(name, [...(byName.get(name) ?? []), address]);
      if (reverse) byAddress.set(address, own);
    }
    this.#byAddress = byAddress;
    this.#byName = byName;
    this.#stamps.bump(ALL);
    return entries;
  }

  serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const { name, question } = request;
    request.reuse.dependsOn(this.#stamps, ALL);
    const isPtr = question.type === RecordType.PTR;
    const address = isPtr ? addressOfReverseName(name) : undefined;
    if (matchingZone(this.#options.zones, name) === undefined && !isPtr) return next(request);
    const answers =
      address === undefined ? this.#addresses(request) : this.#names(request, address);
    if (answers.length === 0) return this.#nothing(request, next);
    request.reuse.allow();
    const message = replyTo(request.message, { authoritative: true, answers });
    return Promise.resolve({ kind: 'reply', message, plugin: this.name });
  }

  /** A name that is known for another type has no data; anything else goes on, or fails. */
  #nothing(request: DnsRequest, next: Handler): Promise<Outcome> {
    const { name, question } = request;
    if (question.type !== RecordType.PTR && this.#lookup(name) !== undefined) {
      request.reuse.allow();
      const message = replyTo(request.message, { authoritative: true });
      return Promise.resolve({ kind: 'reply', message, plugin: this.name });
    }
    const mayPass = fallsThrough(this.#options.fallthrough, name);
    // Addresses that are not in the file are somebody else's, with or without fallthrough.
    if (mayPass || question.type === RecordType.PTR) return next(request);
    return Promise.resolve({ kind: 'rcode', rcode: Rcode.SERVFAIL });
  }

  #addresses({ name, question }: DnsRequest): ResourceRecord[] {
    const { ttlSeconds } = this.#options;
    const wantsIpv6 = question.type === RecordType.AAAA;
    if (question.type !== RecordType.A && !wantsIpv6) return [];
    return (this.#lookup(name) ?? [])
      .filter((address) => address.includes(':') === wantsIpv6)
      .map((address) => addressRecord(name, ttlSeconds, address));
  }

  #names({ name }: DnsRequest, address: string): ResourceRecord[] {
    const { ttlSeconds } = this.#options;
    return (this.#byAddress.get(address) ?? []).map((target) =>
      nameRecord(name, RecordType.PTR, ttlSeconds, target),
    );
  }

  /** The name itself, else a wildcard for its first label. */
  #lookup(name: string): readonly string[] | undefined {
    const dot = nextDot(name, 0);
    return this.#byName.get(name) ?? this.#byName.get(`*${name.slice(dot)}`);
  }
}
