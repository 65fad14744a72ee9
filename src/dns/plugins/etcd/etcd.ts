import { errorMessage } from '../../../base/errors.ts';
import { isReverseName, foldName, joinName } from '../../message/name.ts';
import type { Backend, BackendQuery, Found, LookupResult } from '../../backend/backend.ts';
import {
  backendQuery,
  type BackendVoice,
  existence,
  foundOnly,
  foundReply,
  isApex,
  negativeReply,
} from '../../backend/backend-outcome.ts';
import { soaRecord } from '../../backend/backend-reply.ts';
import { hostKind } from '../../backend/lookup-addresses.ts';
import { lookupByType } from '../../backend/lookup-by-type.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import { addressRecord, nameRecord, type ResourceRecord } from '../../message/message.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { fallsThrough, type Fallthrough } from '../../plugin/setup.ts';
import type { KeyValueReader } from '../../plugin/key-value.ts';
import { findEntries } from './find-entries.ts';
import type { SkydnsLayout } from './message.ts';
import type { StubZones } from './stub-zones.ts';

export interface EtcdOptions {
  readonly zones: readonly string[];
  readonly layout: SkydnsLayout;
  readonly fallthrough: Fallthrough | undefined;
}

/** TTL and minimum of the SOA. */
const SOA_SECONDS = 30;

/** Answers from SkyDNS messages in etcd (plugin/etcd). */
export class EtcdPlugin implements Plugin {
  readonly name = 'etcd';
  readonly #options: EtcdOptions;
  readonly #backend: Backend;
  readonly #stubs: StubZones | undefined;
  readonly #serial: () => number;
  readonly #voice: BackendVoice = { plugin: this.name, soa: (query) => this.#soa(query) };

  /** `serial` is the Unix time. */
  constructor(
    options: EtcdOptions,
    store: KeyValueReader,
    serial: () => number,
    stubs?: StubZones,
  ) {
    this.#options = options;
    this.#serial = serial;
    this.#stubs = stubs;
    this.#backend = {
      find: (query, exact) => this.#find(store, query, exact),
      findReverse: (query) => this.#find(store, query, true),
      resolve: (query, name, type) => query.request.lookup(name, type),
    };
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const stubbed = this.#stubs?.serve(request);
    if (stubbed !== undefined) return stubbed;
    const query = backendQuery(request, this.#options.zones);
    if (query === undefined) return next(request);
    try {
      const result = await this.#answer(query);
      if (result.kind === 'found') return foundReply(this.#voice, query, result);
      return fallsThrough(this.#options.fallthrough, request.name)
        ? await next(request)
        : negativeReply(this.#voice, query, Rcode.NXDOMAIN);
    } catch (error) {
      // The store is out of reach: say so, with the zone's SOA.
      return {
        ...negativeReply(this.#voice, query, Rcode.SERVFAIL),
        error: new Error(errorMessage(error)),
      };
    }
  }

  #answer(query: BackendQuery): Promise<LookupResult> {
    switch (query.type) {
      case RecordType.SOA:
        return Promise.resolve(foundOnly([this.#soa(query)]));
      case RecordType.NS:
        return isApex(query) && !isReverseName(query.folded)
          ? this.#nameServers(query)
          : existence(this.#backend, query);
      default:
        return lookupByType(this.#backend, query);
    }
  }

  async #find(store: KeyValueReader, query: BackendQuery, exact: boolean): Promise<Found> {
    const found = await findEntries(store, query.folded, this.#options.layout, exact);
    query.request.trace?.add({
      plugin: this.name,
      what: `${found?.length ?? 'no'} entries at ${query.folded}`,
    });
    return found;
  }

  /** Servers live below `ns.dns.ZONE`, as addresses. */
  async #nameServers(query: BackendQuery): Promise<LookupResult> {
    const name = joinName('ns.dns', query.zone);
    const found = await this.#backend.find({ ...query, name, folded: foldName(name) }, false);
    if (found === undefined) return { kind: 'missing' };
    const servers = found.filter((entry) => hostKind(entry) !== 'name');
    const targets = new Map(servers.map((entry) => [entry.name, entry.ttlSeconds]));
    return foundOnly(
      [...targets].map(([target, ttl]) => nameRecord(query.name, RecordType.NS, ttl, target)),
      servers.map((entry) => addressRecord(entry.name, entry.ttlSeconds, entry.host)),
    );
  }

  #soa(query: BackendQuery): ResourceRecord {
    const serial = this.#serial();
    return soaRecord({ zone: query.zone, serial, minimumSeconds: SOA_SECONDS });
  }
}
