import type { Namespace, Pod, Service } from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';
import type { KubeObject } from '../../api/types/meta.ts';

/** multicluster.x-k8s.io/v1alpha1, KEP-1645: a Service of another cluster. */
export interface ServiceImport extends KubeObject {
  spec: {
    type: 'ClusterSetIP' | 'Headless';
    ips?: string[];
    ports?: { name?: string; port: number; protocol?: 'TCP' | 'UDP' | 'SCTP' }[];
  };
}

/** The kinds DNS answers from. */
export interface DnsObjects {
  services: Service;
  endpointslices: EndpointSlice;
  namespaces: Namespace;
  pods: Pod;
  serviceimports: ServiceImport;
}

export type DnsKind = keyof DnsObjects;

/** What follows a kind's objects. Called synchronously, in the order the source saw the changes. */
export interface DnsSink<T> {
  /** Added, changed, or already there when the watch began. */
  set(object: T): void;
  /** Only name and namespace need to be right. */
  delete(object: T): void;
  /** Everything that was there when the watch began has been set. Called once. */
  synced(): void;
}

/**
 * Where Kubernetes objects come from: informers in a cluster, manifests in `podwire dns`. A watch first
 * sets what is there, then follows changes until it is ended. Objects are shared and must not be changed.
 */
export interface DnsSource {
  watch<K extends DnsKind>(kind: K, sink: DnsSink<DnsObjects[K]>): { stop(): void };
}
