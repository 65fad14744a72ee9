import { formatCidr, formatIp, type Cidr } from '../base/ip.ts';
import { describePodIpRefusal, HostLocalAllocator } from '../ipam/host-local.ts';
import { type LeaseStore, MemoryLeaseStore } from '../ipam/lease-store.ts';
import { parseRangeSets } from '../ipam/range-set.ts';
import type { PodAddresses } from './kubelet/pod-worker.ts';

/** Every pod has one interface, named as CNI would. */
const IF_NAME = 'eth0';

/** A node's pod addresses, one a pod, from its podCIDR. Throws when the CIDR has no room for pods. */
export function hostLocalAddresses(
  podCIDR: Cidr,
  store: LeaseStore = new MemoryLeaseStore(),
): PodAddresses {
  const parsed = parseRangeSets([[{ subnet: podCIDR }]]);
  if (parsed.kind === 'invalid')
    throw new Error(`podCIDR ${formatCidr(podCIDR)}: ${parsed.problems.join('; ')}`);
  const allocator = new HostLocalAllocator({ sets: parsed.sets, store });
  return {
    allocate(owner) {
      const outcome = allocator.allocate({ containerId: owner, ifName: IF_NAME });
      const first = outcome.kind === 'allocated' ? outcome.addresses[0] : undefined;
      if (first !== undefined) return { kind: 'allocated', address: formatIp(first.address) };
      const message =
        outcome.kind === 'allocated' ? 'no range set is configured' : describePodIpRefusal(outcome);
      return { kind: 'failed', message };
    },
    release: (owner) => void allocator.release({ containerId: owner, ifName: IF_NAME }),
  };
}
