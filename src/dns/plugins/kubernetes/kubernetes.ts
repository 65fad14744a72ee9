import type { Backend, BackendQuery, LookupResult } from '../../backend/backend.ts';
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
import { lookupByType } from '../../backend/lookup-by-type.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import {
  addressRecord,
  nameRecord,
  type DnsMessage,
  type ResourceRecord,
} from '../../message/message.ts';
import { foldName, joinName } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { fallsThrough } from '../../plugin/setup.ts';
import { findRecords, findReverse, type Lookup } from './find-records.ts';
import { SERIAL_KEY } from './kubernetes-view.ts';
import { nameServerAddresses } from './name-servers.ts';

/** The `kubernetes` plugin: Services, endpoints and pods by name (plugin/kubernetes/handler.go). */
export class KubernetesPlugin implements Plugin {
  readonly name = 'kubernetes';
  readonly declaresReuse = true;
  readonly #lookup: Lookup;
  readonly #isSynced: () => boolean;
  readonly #backend: Backend;
  readonly #voice: BackendVoice = { plugin: this.name, soa: (query) => this.#soa(query) };

  constructor(lookup: Lookup, isSynced: () => boolean) {
    this.#lookup = lookup;
    this.#isSynced = isSynced;
    this.#backend = {
      find: (query) => Promise.resolve(findRecords(lookup, query)),
      findReverse: (query) => Promise.resolve(findReverse(lookup, query)),
      resolve: resolveOutside,
    };
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const query = backendQuery(request, this.#lookup.options.zones);
    if (query === undefined) return next(request);
    if (query.type === RecordType.AXFR || query.type === RecordType.IXFR)
      return { kind: 'rcode', rcode: Rcode.REFUSED };
    const result = await this.#answer(query);
    if (result.kind === 'missing') return this.#missing(query, next);
    request.reuse.allow();
    return foundReply(this.#voice, query, result);
  }

  async #answer(query: BackendQuery): Promise<LookupResult> {
    switch (query.type) {
      case RecordType.TXT:
        return this.#text(query);
      case RecordType.SOA:
        // Below the apex always NODATA, even for names that do not exist.
        return foundOnly(isApex(query) ? [this.#soa(query)] : []);
      case RecordType.NS:
        return isApex(query) ? this.#nameServers(query) : existence(this.#backend, query);
      default:
        return lookupByType(this.#backend, query);
    }
  }

  /** Only dns-version has text; everything else is a question of existence. */
  #text(query: BackendQuery): Promise<LookupResult> {
    const version = joinName('dns-version', foldName(query.zone));
    return query.folded === version
      ? lookupByType(this.#backend, query)
      : existence(this.#backend, query);
  }

  #nameServers(query: BackendQuery): LookupResult {
    const { ttlSeconds } = this.#lookup.options;
    const servers = nameServerAddresses(this.#lookup, query.zone);
    query.request.reuse.refuse();
    const names = [...new Set(servers.map((server) => server.name))];
    return foundOnly(
      names.map((target) => nameRecord(query.name, RecordType.NS, ttlSeconds, target)),
      servers.map((server) => addressRecord(server.name, ttlSeconds, server.address)),
    );
  }

  async #missing(query: BackendQuery, next: Handler): Promise<Outcome> {
    const { request } = query;
    if (fallsThrough(this.#lookup.options.fallthrough, query.folded)) return next(request);
    const synced = this.#isSynced();
    if (synced) request.reuse.allow();
    else
      request.trace?.add({
        plugin: this.name,
        what: 'the Kubernetes API has not been read fully yet',
      });
    const rcode = synced ? Rcode.NXDOMAIN : Rcode.SERVFAIL;
    return negativeReply(this.#voice, query, rcode);
  }

  #soa(query: BackendQuery): ResourceRecord {
    const { view, options } = this.#lookup;
    query.request.reuse.dependsOn(view.stamps, SERIAL_KEY);
    return soaRecord({
      zone: query.zone,
      serial: view.serial,
      minimumSeconds: options.ttlSeconds,
    });
  }
}

/** Targets elsewhere are asked for afresh each time: their TTL is not ours to keep. */
function resolveOutside(query: BackendQuery, name: string, type: number): Promise<DnsMessage> {
  query.request.reuse.refuse();
  return query.request.lookup(name, type);
}
