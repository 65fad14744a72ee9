import { PodwireError } from '../../base/errors.ts';
import { createIptablesMode } from '../../proxy/modes/iptables-mode.ts';
import type { ModeOptions } from '../../proxy/modes/mode-options.ts';
import { createNftablesMode } from '../../proxy/modes/nftables-mode.ts';
import { UserspaceMode } from '../../proxy/modes/userspace-mode.ts';
import type { ProxyMode, ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { SchedulerName } from '../../proxy/ipvs/schedulers/registry.ts';
import type { SchedulerFlags } from '../../proxy/ipvs/schedulers/scheduler.ts';
import type { Algorithm } from './balancer.ts';
import { ipvsBalancer } from './ipvs-balancer.ts';
import { proxyModeBalancer } from './proxy-mode-balancer.ts';
import { boundedLoadHashAlgorithm } from './reference/bounded-load-hash.ts';
import { choicesAlgorithm } from './reference/choices.ts';
import { joinShortestQueueAlgorithm } from './reference/join-shortest-queue.ts';
import { peakEwmaAlgorithm } from './reference/peak-ewma.ts';
import { smoothWeightedRoundRobinAlgorithm } from './reference/smooth-weighted-round-robin.ts';

const NO_FLAGS = { fallback: false, port: false };

/** Everything that can be compared, in the order of lists and reports. */
export const ALGORITHMS: readonly Algorithm[] = [
  modeAlgorithm(
    'iptables',
    createIptablesMode,
    'kube-proxy iptables: an independent random draw for each connection',
  ),
  modeAlgorithm(
    'nftables',
    createNftablesMode,
    'kube-proxy nftables: numgen random, the same distribution as iptables',
  ),
  modeAlgorithm(
    'userspace',
    (options) => new UserspaceMode(options),
    'kube-proxy userspace: round robin in shuffled order',
  ),
  ipvsAlgorithm('rr', "round robin: kube-proxy's default in ipvs mode"),
  ipvsAlgorithm('wrr', 'weighted round robin, in runs by descending weight'),
  ipvsAlgorithm('lc', 'least connections, counted on this node only'),
  ipvsAlgorithm('wlc', 'least connections by weight'),
  ipvsAlgorithm('sed', 'shortest expected delay: (active + 1) / weight'),
  ipvsAlgorithm('nq', 'never queue: an idle one at once, else sed'),
  ipvsAlgorithm('sh', 'source hashing over 256 buckets'),
  ipvsAlgorithm('mh', 'Maglev hashing of source address and port, as kube-proxy sets it', {
    flags: { fallback: false, port: true },
  }),
  ipvsAlgorithm('mh', "Maglev hashing of the source address, ipvsadm's default", {
    name: 'ipvs-mh-source',
  }),
  ipvsAlgorithm('dh', 'destination hashing: one VIP, one backend'),
  ipvsAlgorithm('lblc', 'locality-based least connection: sticks to one until it is overloaded'),
  ipvsAlgorithm('lblcr', 'the same with a set of backends'),
  ipvsAlgorithm('fo', 'weighted failover: everything to the heaviest'),
  ipvsAlgorithm('ovf', 'weighted overflow: fills the heaviest, then the next, then refuses'),
  ipvsAlgorithm('twos', 'power of two choices by connections'),
  choicesAlgorithm(
    2,
    'p2c',
    'the one with fewer open requests of two drawn at random (Envoy LEAST_REQUEST)',
  ),
  peakEwmaAlgorithm,
  boundedLoadHashAlgorithm,
  smoothWeightedRoundRobinAlgorithm,
  joinShortestQueueAlgorithm,
];

/** Throws PodwireError `ERR_ALGORITHM` for a name that is not in the list. */
export function algorithmNamed(name: string): Algorithm {
  const found = ALGORITHMS.find((algorithm) => algorithm.name === name);
  if (found !== undefined) return found;
  throw new PodwireError(
    'ERR_ALGORITHM',
    `no algorithm ${name}; there are ${ALGORITHMS.map((one) => one.name).join(', ')}`,
  );
}

function modeAlgorithm(
  name: Exclude<ProxyModeName, 'ipvs'>,
  create: (options: ModeOptions) => ProxyMode,
  summary: string,
): Algorithm {
  return { name, family: name, summary, create: (context) => proxyModeBalancer(create, context) };
}

function ipvsAlgorithm(
  scheduler: SchedulerName,
  summary: string,
  options: { readonly name?: string; readonly flags?: SchedulerFlags } = {},
): Algorithm {
  const choice = { scheduler, flags: options.flags ?? NO_FLAGS };
  return {
    name: options.name ?? `ipvs-${scheduler}`,
    family: 'ipvs',
    summary: `IPVS ${scheduler}: ${summary}`,
    create: (context) => ipvsBalancer(choice, context),
  };
}
