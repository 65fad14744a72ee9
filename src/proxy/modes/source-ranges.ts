import type { Frontend } from '../../services/routing-table.ts';
import type { Cidr } from '../../base/ip.ts';
import { AddressMatcher } from '../address-matcher.ts';
import type { NodeView } from '../node-context.ts';

/** One matcher a Service, made when first asked for; the ranges of an unchanged Service stay the same array. */
const matchers = new WeakMap<readonly Cidr[], AddressMatcher>();

/**
 * loadBalancerSourceRanges guard VIPs only: node ports, external IPs and cluster IPs stay open. When a range
 * holds the node's own address, the VIPs themselves are let in as sources as well: that is how a node's
 * packet to a VIP looks that loops back on a node which has the VIP.
 */
export function passesSourceRanges(frontend: Frontend, source: string, view: NodeView): boolean {
  const { info } = frontend.servicePort;
  const ranges = info.loadBalancerSourceRanges;
  if (frontend.kind !== 'loadBalancer' || ranges.length === 0) return true;
  const matcher = matchers.get(ranges) ?? new AddressMatcher(ranges);
  matchers.set(ranges, matcher);
  if (matcher.matches(source)) return true;
  if (!info.loadBalancerVIPs.includes(source)) return false;
  const nodeIP = view.primaryIP(info.family);
  return nodeIP !== undefined && matcher.matches(nodeIP);
}
