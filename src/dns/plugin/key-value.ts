import type { Resource } from '../../base/lifetime.ts';

/** One key of a store. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Seconds its lease has left; 0 without a lease. */
  readonly leaseSeconds: number;
}

/** As much of etcd as SkyDNS data needs. */
export interface KeyValueReader extends Resource {
  /** All keys that begin with `prefix`, in key order. Rejects when the store cannot be reached. */
  list(prefix: string, options: { readonly signal: AbortSignal }): Promise<readonly KeyValue[]>;
  get(key: string, options: { readonly signal: AbortSignal }): Promise<KeyValue | undefined>;
}

/** How to reach a store, as the Corefile says. */
export interface KeyValueAddress {
  readonly endpoints: readonly string[];
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** Does not wait for the store to answer. */
export type ConnectKeyValue = (address: KeyValueAddress) => KeyValueReader;
