import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { formatHostPort } from '../base/ip.ts';
import type { Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { defaultCorefile, hostCorefile } from '../dns/default-corefile.ts';
import { DnsServer } from '../dns/server/dns-server.ts';
import type { DnsSource } from '../dns/source/dns-source.ts';
import type { DnsServers } from './dns-servers.ts';
import type { ObjectFeed } from './object-feed.ts';
import { podOf } from './pod-of.ts';

export interface ClusterDnsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly source: DnsSource;
  readonly domain: string;
  /** Where other names are asked; empty: nowhere. */
  readonly upstream: string;
  readonly address: string;
  readonly port: number;
  readonly pods: ObjectFeed<Pod>;
  /** Learns of the server while it runs, as one of this node. */
  readonly servers: DnsServers;
  readonly node: string;
}

/** The cluster's names for programs outside it, at one address. Rejects with `DNS_BIND` when that cannot be had. */
export async function startClusterDns(options: ClusterDnsOptions): Promise<Resource> {
  const { clock, random, log, metrics, source, domain, upstream, address, port } = options;
  const server = await DnsServer.start({
    clock,
    random,
    log,
    metrics,
    source,
    localAddresses: [address],
    corefile: { file: 'Corefile', text: hostCorefile({ domain, upstream }) },
    listen: [{ address, port }],
    podOf: podOf(options.pods),
  });
  const forget = options.servers.add({
    name: 'host',
    node: options.node,
    address: formatHostPort(address, port),
    server,
  });
  return {
    close: () => server.close().finally(forget),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]().finally(forget),
  };
}

/** What the ConfigMap `coredns` holds at first. Without an upstream, names outside the cluster are not resolved. */
export function clusterCorefile(domain: string, upstream: string): string {
  return defaultCorefile({ domain, ...(upstream === '' ? {} : { upstream }) });
}
