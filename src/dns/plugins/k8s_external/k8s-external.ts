import type { Backend, BackendQuery, LookupResult } from '../../backend/backend.ts';
import {
  backendQuery,
  type BackendVoice,
  foundOnly,
  foundReply,
  isApex,
  negativeReply,
} from '../../backend/backend-outcome.ts';
import { lookupWithChase } from '../../backend/lookup-addresses.ts';
import { lookupPtr, lookupSrv } from '../../backend/lookup-targets.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import {
  addressRecord,
  nameRecord,
  resourceRecord,
  type ResourceRecord,
} from '../../message/message.ts';
import {
  addressOfReverseName,
  foldName,
  isReverseName,
  isSubdomain,
  joinName,
  labelsOf,
} from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { transferredServices } from './transfer.ts';
import { fallsThrough, type ExternalSource, type Fallthrough } from '../../plugin/setup.ts';

export interface K8sExternalOptions {
  readonly zones: readonly string[];
  readonly ttlSeconds: number;
  /** The label below which SOA and NS names lie. */
  readonly apex: string;
  readonly headless: boolean;
  readonly fallthrough: Fallthrough | undefined;
  readonly localAddresses: readonly string[];
}

/** `SVC.NS.ZONE` answers external addresses (plugin/k8s_external). */
export class K8sExternalPlugin implements Plugin {
  readonly name = 'k8s_external';
  readonly #options: K8sExternalOptions;
  readonly #source: () => ExternalSource | undefined;

  constructor(options: K8sExternalOptions, source: () => ExternalSource | undefined) {
    this.#options = options;
    this.#source = source;
  }

  /** The whole zone; undefined where it is none of the plugin's, or before the API has been read. */
  transfer(zone: string): ResourceRecord[] | undefined {
    const source = this.#source();
    if (source?.synced !== true || !this.#options.zones.includes(zone)) return undefined;
    const { ttlSeconds, headless } = this.#options;
    const soa = this.#soa({ zone }, source);
    const server = this.#serverName(zone);
    return [
      soa,
      nameRecord(zone, RecordType.NS, ttlSeconds, server),
      ...this.#serverAddresses(server),
      ...transferredServices(source, { zone, ttlSeconds, headless }),
      soa,
    ];
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const query = backendQuery(request, this.#options.zones);
    const source = this.#source();
    if (query === undefined || source === undefined) return next(request);
    const voice: BackendVoice = { plugin: this.name, soa: () => this.#soa(query, source) };
    if (!source.synced) return negativeReply(voice, query, Rcode.SERVFAIL);
    if (isApex(query)) return this.#apex(query, voice);
    if (isSubdomain(joinName(this.#options.apex, foldName(query.zone)), request.name))
      return this.#belowApex(query, voice);
    const result = await this.#answer(query, source);
    if (result.kind === 'missing') {
      return fallsThrough(this.#options.fallthrough, request.name)
        ? next(request)
        : negativeReply(voice, query, Rcode.NXDOMAIN);
    }
    return foundReply(voice, query, result);
  }

  async #answer(query: BackendQuery, source: ExternalSource): Promise<LookupResult> {
    const backend = this.#backend(source);
    switch (query.type) {
      case RecordType.A:
      case RecordType.AAAA:
        return lookupWithChase(backend, query);
      case RecordType.SRV:
        return lookupSrv(backend, query);
      case RecordType.PTR:
        return lookupPtr(backend, query);
      default: {
        const found = await backend.find(query, false);
        return found === undefined ? { kind: 'missing' } : foundOnly([]);
      }
    }
  }

  #backend(source: ExternalSource): Backend {
    const { headless, ttlSeconds, zones } = this.#options;
    const forward = zones.find((zone) => !isReverseName(zone)) ?? '.';
    const withTtl = <T extends object>(
      found: readonly T[] | undefined,
    ): (T & { ttlSeconds: number })[] | undefined =>
      found?.map((entry) => ({ ...entry, ttlSeconds }));
    return {
      find: ({ folded, zone }) => {
        const labels = labelsOf(folded.slice(0, folded.length - zone.length));
        return Promise.resolve(withTtl(source.find(labels, zone, { headless })));
      },
      findReverse: ({ folded }) => {
        const address = addressOfReverseName(folded);
        if (address === undefined) return Promise.resolve(undefined);
        return Promise.resolve(withTtl(source.findReverse(address, forward, { headless })));
      },
      resolve: (query, name, type) => query.request.lookup(name, type),
    };
  }

  #apex(query: BackendQuery, voice: BackendVoice): Outcome {
    if (query.type === RecordType.SOA)
      return foundReply(voice, query, foundOnly([voice.soa(query)]));
    if (query.type !== RecordType.NS) return negativeReply(voice, query, Rcode.NOERROR);
    const server = this.#serverName(query.zone);
    const answer = nameRecord(query.name, RecordType.NS, this.#options.ttlSeconds, server);
    return foundReply(voice, query, foundOnly([answer], this.#serverAddresses(server)));
  }

  /** Only `ns1` lives there. */
  #belowApex(query: BackendQuery, voice: BackendVoice): Outcome {
    const zone = foldName(query.zone);
    if (query.folded === joinName(this.#options.apex, zone))
      return negativeReply(voice, query, Rcode.NOERROR);
    if (query.folded !== this.#serverName(zone)) return negativeReply(voice, query, Rcode.NXDOMAIN);
    const addresses = this.#serverAddresses(query.name);
    return foundReply(voice, query, foundOnly(addresses.filter(({ type }) => type === query.type)));
  }

  #serverName(zone: string): string {
    return joinName(`ns1.${this.#options.apex}`, zone);
  }

  #serverAddresses(name: string): ResourceRecord[] {
    const { localAddresses, ttlSeconds } = this.#options;
    return localAddresses.map((address) => addressRecord(name, ttlSeconds, address));
  }

  #soa({ zone }: Pick<BackendQuery, 'zone'>, source: ExternalSource): ResourceRecord {
    const { apex, ttlSeconds } = this.#options;
    return resourceRecord(zone, RecordType.SOA, ttlSeconds, {
      kind: 'soa',
      mname: joinName(`ns1.${apex}`, zone),
      rname: joinName(`hostmaster.${apex}`, zone),
      serial: source.serial,
      refreshSeconds: 7200,
      retrySeconds: 1800,
      expireSeconds: 86_400,
      minimumSeconds: ttlSeconds,
    });
  }
}
