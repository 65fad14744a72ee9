import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import type { Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { startClusterDns } from '../node/cluster-dns.ts';
import type { DnsServers } from '../node/dns-servers.ts';
import type { feedDnsSource } from '../node/feed-dns-source.ts';
import type { ObjectFeed } from '../node/object-feed.ts';
import type { ClusterConfig } from './cluster-config.ts';

/** Who looks into the machine's own DNS asks this node. */
const FIRST_NODE = 'node-1';

/** DNS for programs outside the cluster; where it cannot be bound the cluster does without. */
export async function startHostDns(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly config: ClusterConfig;
  readonly source: ReturnType<typeof feedDnsSource>;
  readonly pods: ObjectFeed<Pod>;
  readonly servers: DnsServers;
  readonly onProgress: ((step: string) => void) | undefined;
  readonly onProblem: ((problem: string) => void) | undefined;
}): Promise<Resource | undefined> {
  const { clock, random, log, source, pods, servers, onProgress, onProblem } = options;
  const { dnsDomain: domain, dnsUpstream: upstream, dnsHostAddress } = options.config;
  const { address, port } = dnsHostAddress;
  try {
    const server = await startClusterDns({
      clock,
      random,
      log: log.child({ component: 'dns' }),
      metrics: createMetrics(),
      source,
      pods,
      servers,
      node: FIRST_NODE,
      domain,
      upstream,
      address,
      port,
    });
    onProgress?.(`DNS for ${domain} at ${address}:${port}`);
    return server;
  } catch (error) {
    if (errorCode(error) !== 'DNS_BIND') throw error;
    onProblem?.(`DNS at ${address}:${port}: ${errorMessage(error)}`);
    return undefined;
  }
}
