import type { Resource } from '../../base/lifetime.ts';

/** One key of a store. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Seconds its lease has left; 0 without a lease. */
  readonly leaseSeconds: number;
}

/** Calls that take longer are given up. */
export interface KeyValueCall {
  readonly timeoutMs: number;
}

/** As much of etcd as reading SkyDNS data needs. */
export interface KeyValueReader extends Resource {
  /** All keys that begin with `prefix`, in key order. Rejects when the store cannot be reached. */
  list(prefix: string, options: KeyValueCall): Promise<readonly KeyValue[]>;
  get(key: string, options: KeyValueCall): Promise<KeyValue | undefined>;
}

/** What kube2sky needs besides. */
export interface KeyValueWriter extends KeyValueReader {
  put(key: string, value: string, options: KeyValueCall): Promise<void>;
  delete(key: string, options: KeyValueCall): Promise<void>;
}

/** How to reach a store, as the Corefile says. */
export interface KeyValueAddress {
  readonly endpoints: readonly string[];
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** Does not wait for the store to answer. */
export type ConnectKeyValue = (address: KeyValueAddress) => KeyValueReader;
