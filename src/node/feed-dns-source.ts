import type { Namespace, Pod, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { KubeObject } from '../api/types/meta.ts';
import type { DnsKind, DnsObjects, DnsSink, DnsSource } from '../dns/source/dns-source.ts';
import type { ObjectFeed } from './object-feed.ts';

export interface DnsFeeds {
  readonly services: ObjectFeed<Service>;
  readonly endpointslices: ObjectFeed<EndpointSlice>;
  readonly namespaces: ObjectFeed<Namespace>;
  readonly pods: ObjectFeed<Pod>;
}

/** Lets DNS follow the cluster's informers. ServiceImports do not exist here: their watch is empty. */
export function feedDnsSource(feeds: DnsFeeds): DnsSource {
  return {
    watch<K extends DnsKind>(kind: K, sink: DnsSink<DnsObjects[K]>) {
      if (kind === 'serviceimports') {
        sink.synced();
        return { stop: () => undefined };
      }
      const known: Readonly<Partial<Record<DnsKind, unknown>>> = feeds;
      const feed = known[kind] as ObjectFeed<DnsObjects[K] & KubeObject>;
      let stopped = false;
      const unsubscribe = feed.subscribe((current, previous) => {
        if (current !== undefined) sink.set(current);
        else if (previous !== undefined) sink.delete(previous);
      });
      void feed.synced.then(() => (stopped ? undefined : sink.synced()));
      return {
        stop: () => {
          stopped = true;
          unsubscribe();
        },
      };
    },
  };
}
