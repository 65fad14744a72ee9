import { PodwireError } from '../../base/errors.ts';
import { createIptablesMode } from '../../proxy/modes/iptables-mode.ts';
import type { ModeOptions } from '../../proxy/modes/mode-options.ts';
import { UserspaceMode } from '../../proxy/modes/userspace-mode.ts';
import type { ProxyMode, ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { Algorithm } from './balancer.ts';
import { proxyModeBalancer } from './proxy-mode-balancer.ts';
import { boundedLoadHashAlgorithm } from './reference/bounded-load-hash.ts';
import { choicesAlgorithm } from './reference/choices.ts';
import { joinShortestQueueAlgorithm } from './reference/join-shortest-queue.ts';
import { peakEwmaAlgorithm } from './reference/peak-ewma.ts';
import { smoothWeightedRoundRobinAlgorithm } from './reference/smooth-weighted-round-robin.ts';

/** Everything that can be compared, in the order of lists and reports. */
export const ALGORITHMS: readonly Algorithm[] = [
  modeAlgorithm(
    'iptables',
    createIptablesMode,
    'kube-proxy iptables: an independent random draw for each connection',
  ),
  modeAlgorithm(
    'userspace',
    (options) => new UserspaceMode(options),
    'kube-proxy userspace: round robin in shuffled order',
  ),
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
