import type { Backend, BackendQuery, LookupResult } from '../../backend/backend.ts';
import { lookupWithChase } from '../../backend/lookup-addresses.ts';
import { lookupPtr, lookupSrv } from '../../backend/lookup-targets.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import {
  addressRecord,
  nameRecord,
  replyTo,
  resourceRecord,
  type DnsMessage,
  type ResourceRecord,
} from '../../message/message.ts';
import {
  addressOfReverseName,
  foldName,
  isReverseName,
  isSubdomain,
  joinName,
  labelsOf,
  matchingZone,
} from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import type { ExternalSource, Fallthrough } from '../../plugin/setup.ts';

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

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const matched = matchingZone(this.#options.zones, request.name);
    const source = this.#source();
    if (matched === undefined || source === undefined) return next(request);
    const { name, type } = request.question;
    const zone = name.slice(name.length - matched.length);
    const query: BackendQuery = { request, name, folded: request.name, type, zone };
    if (!source.synced) return this.#negative(query, source, Rcode.SERVFAIL);
    if (request.name === matched) return this.#apex(query, source);
    if (isSubdomain(joinName(this.#options.apex, matched), request.name))
      return this.#belowApex(query, source);
    const result = await this.#answer(query, source);
    if (result.kind === 'missing') {
      const mayPass =
        matchingZone(this.#options.fallthrough?.zones ?? [], request.name) !== undefined;
      return mayPass ? next(request) : this.#negative(query, source, Rcode.NXDOMAIN);
    }
    if (result.answers.length === 0) return this.#negative(query, source, Rcode.NOERROR);
    return this.#reply(request, result);
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
        return found === undefined
          ? { kind: 'missing' }
          : { kind: 'found', answers: [], additionals: [], truncated: false };
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

  #apex(query: BackendQuery, source: ExternalSource): Outcome {
    const { request } = query;
    if (query.type === RecordType.SOA)
      return this.#reply(request, { answers: [this.#soa(query, source)] });
    if (query.type !== RecordType.NS) return this.#negative(query, source, Rcode.NOERROR);
    const { ttlSeconds } = this.#options;
    const server = this.#serverName(query.zone);
    return this.#reply(request, {
      answers: [nameRecord(query.name, RecordType.NS, ttlSeconds, server)],
      additionals: this.#serverAddresses(server),
    });
  }

  /** Only `ns1` lives there. */
  #belowApex(query: BackendQuery, source: ExternalSource): Outcome {
    const { folded, type } = query;
    const zone = foldName(query.zone);
    if (folded === joinName(this.#options.apex, zone))
      return this.#negative(query, source, Rcode.NOERROR);
    if (folded !== this.#serverName(zone)) return this.#negative(query, source, Rcode.NXDOMAIN);
    const answers = this.#serverAddresses(query.name).filter((entry) => entry.type === type);
    if (answers.length === 0) return this.#negative(query, source, Rcode.NOERROR);
    return this.#reply(query.request, { answers });
  }

  #serverName(zone: string): string {
    return joinName(`ns1.${this.#options.apex}`, zone);
  }

  #serverAddresses(name: string): ResourceRecord[] {
    const { localAddresses, ttlSeconds } = this.#options;
    return localAddresses.map((address) => addressRecord(name, ttlSeconds, address));
  }

  #reply(request: DnsRequest, parts: Partial<DnsMessage>): Outcome {
    const { answers = [], additionals = [], truncated = false } = parts;
    const message = replyTo(request.message, {
      authoritative: true,
      truncated,
      answers,
      additionals,
    });
    return { kind: 'reply', message, plugin: this.name };
  }

  #negative(query: BackendQuery, source: ExternalSource, rcode: number): Outcome {
    const message = replyTo(query.request.message, {
      authoritative: true,
      rcode,
      authorities: [this.#soa(query, source)],
    });
    return { kind: 'reply', message, plugin: this.name };
  }

  #soa({ zone }: BackendQuery, source: ExternalSource): ResourceRecord {
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
