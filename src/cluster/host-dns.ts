import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import type { Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { startClusterDns } from '../node/cluster-dns.ts';
import type { feedDnsSource } from '../node/feed-dns-source.ts';
import type { ClusterConfig } from './cluster-config.ts';

/** DNS for programs outside the cluster; where it cannot be bound the cluster does without. */
export async function startHostDns(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly config: ClusterConfig;
  readonly source: ReturnType<typeof feedDnsSource>;
  readonly onProgress: ((step: string) => void) | undefined;
  readonly onProblem: ((problem: string) => void) | undefined;
}): Promise<Resource | undefined> {
  const { clock, random, log, source, onProgress, onProblem } = options;
  const { dnsDomain: domain, dnsHostAddress } = options.config;
  const { address, port } = dnsHostAddress;
  try {
    const server = await startClusterDns({
      clock,
      random,
      log: log.child({ component: 'dns' }),
      metrics: createMetrics(),
      source,
      domain,
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
