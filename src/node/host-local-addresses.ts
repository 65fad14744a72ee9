import { formatCidr, formatIp, type Cidr, parseIp } from '../base/ip.ts';
import { describePodIpRefusal, HostLocalAllocator } from '../ipam/host-local.ts';
import { MemoryLeaseStore, type PodOwner } from '../ipam/lease-store.ts';
import { parseRangeSets } from '../ipam/range-set.ts';
import type { PodAddresses } from './kubelet/pod-worker.ts';

/** Every pod has one interface, named as CNI would. */
const IF_NAME = 'eth0';

/**
 * A node's pod addresses, one a pod, from its podCIDR. `before` names, by owner, the addresses from before a
 * restart: they stay taken until their owners release them. Throws when the CIDR has no room for pods.
 */
export function hostLocalAddresses(
  podCIDR: Cidr,
  before: ReadonlyMap<string, string> = new Map(),
): PodAddresses {
  const parsed = parseRangeSets([[{ subnet: podCIDR }]]);
  if (parsed.kind === 'invalid')
    throw new Error(`podCIDR ${formatCidr(podCIDR)}: ${parsed.problems.join('; ')}`);
  const allocator = new HostLocalAllocator({ sets: parsed.sets, store: storeWith(before) });
  return {
    allocate(owner) {
      const outcome = allocator.allocate(ownerOf(owner));
      const first = outcome.kind === 'allocated' ? outcome.addresses[0] : undefined;
      if (first !== undefined) return { kind: 'allocated', address: formatIp(first.address) };
      const message =
        outcome.kind === 'allocated' ? 'no range set is configured' : describePodIpRefusal(outcome);
      return { kind: 'failed', message };
    },
    release: (owner) => void allocator.release(ownerOf(owner)),
  };
}

/** As the plugin's files would be found after a reboot: new addresses come after the old ones. */
function storeWith(before: ReadonlyMap<string, string>): MemoryLeaseStore {
  const store = new MemoryLeaseStore();
  const held = [...before].flatMap(([owner, text]) => {
    const address = parseIp(text);
    return address === undefined ? [] : [{ address, owner: ownerOf(owner) }];
  });
  for (const lease of held) store.reserve(lease);
  const last = held.toSorted((a, b) => (a.address.value < b.address.value ? -1 : 1)).at(-1);
  if (last !== undefined) store.setLastReserved(0, last.address);
  return store;
}

function ownerOf(podUid: string): PodOwner {
  return { containerId: podUid, ifName: IF_NAME };
}
