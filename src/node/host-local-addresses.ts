import { formatCidr, formatIp, type Cidr, parseIp } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import { describePodIpRefusal, HostLocalAllocator } from '../ipam/host-local.ts';
import type { LeaseStore, PodLease, PodOwner } from '../ipam/lease-store.ts';
import { parseRangeSets } from '../ipam/range-set.ts';
import type { PodAddresses } from './kubelet/pod-worker.ts';

/** Every pod has one interface, named as CNI would. */
const IF_NAME = 'eth0';

export interface HostLocalOptions {
  readonly podCIDR: Cidr;
  readonly store: LeaseStore;
  /** By owner, the addresses of pods from before a restart: they stay taken until their owners release them. */
  readonly before: ReadonlyMap<string, string>;
  readonly log: Logger;
}

/** A node's pod addresses, for whoever looks into them. */
export interface HostLocalAddresses extends PodAddresses {
  /** By the UID of its pod each. */
  leases(): readonly PodLease[];
  /** How full the podCIDR is. */
  usage(): { readonly used: number; readonly total: number };
}

/**
 * A node's pod addresses, one a pod, from its podCIDR. What the store has and no pod from before is released first: a
 * process that was killed leaves no address behind. Throws when the CIDR has no room for pods.
 */
export function hostLocalAddresses(options: HostLocalOptions): HostLocalAddresses {
  const { podCIDR, store, before, log } = options;
  const parsed = parseRangeSets([[{ subnet: podCIDR }]]);
  if (parsed.kind === 'invalid')
    throw new Error(`podCIDR ${formatCidr(podCIDR)}: ${parsed.problems.join('; ')}`);
  const allocator = new HostLocalAllocator({ sets: parsed.sets, store });
  const released = allocator.gc(Array.from(before.keys(), ownerOf));
  if (released.length > 0)
    log.info({ addresses: released.map(nameOf) }, 'released addresses whose pods are gone');
  for (const [owner, text] of before) {
    const address = parseIp(text);
    if (address !== undefined && allocator.leasesOf(ownerOf(owner)).length === 0)
      allocator.allocate(ownerOf(owner), [address]);
  }
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
    leases: () => allocator.leases(),
    usage: () => allocator.usage()[0] ?? { used: 0, total: 0 },
  };
}

function ownerOf(podUid: string): PodOwner {
  return { containerId: podUid, ifName: IF_NAME };
}

function nameOf({ address, owner }: PodLease): string {
  return `${formatIp(address)} of ${owner.containerId}`;
}
