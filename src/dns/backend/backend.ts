import type { DnsMessage, ResourceRecord } from '../message/message.ts';
import type { DnsRequest } from '../plugin/plugin.ts';

/**
 * One entry of a SkyDNS-like store, the common form of Kubernetes, etcd and external data
 * (coredns plugin/etcd/msg.Service).
 */
export interface BackendRecord {
  /** An IP address, a domain name, or empty. */
  readonly host: string;
  /** -1: the object declares no port, so there is no SRV for it. */
  readonly port: number;
  readonly priority: number;
  /** 0 counts as 100. */
  readonly weight: number;
  readonly ttlSeconds: number;
  /** The entry's own name, the SRV target of an address. */
  readonly name: string;
  readonly text?: string;
  readonly mail?: boolean;
  /** How many left labels of {@link name} a target loses. */
  readonly targetStrip?: number;
  /** Only entries of the selected group are served together. */
  readonly group?: string;
}

/** Entries of a name: none means that it exists without data of this type; undefined that it does not. */
export type Found = readonly BackendRecord[] | undefined;

/** A question put to a backend; CNAMEs inside the zone make new ones. */
export interface BackendQuery {
  readonly request: DnsRequest;
  /** As asked, letter case kept. */
  readonly name: string;
  readonly folded: string;
  readonly type: number;
  /** The zone that matched, in the letter case of the question. */
  readonly zone: string;
}

export interface Backend {
  /** `exact`: only the name itself, not what lies below it. */
  find(query: BackendQuery, exact: boolean): Promise<Found>;
  /** Entries whose address the reverse name stands for. */
  findReverse(query: BackendQuery): Promise<Found>;
  /** Resolves a name outside the zone. */
  resolve(query: BackendQuery, name: string, type: number): Promise<DnsMessage>;
}

/** What a question found; `missing` is a name error. */
export type LookupResult =
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'found';
      readonly answers: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
      /** An upstream reply was cut, so this one is not whole either. */
      readonly truncated: boolean;
    };
