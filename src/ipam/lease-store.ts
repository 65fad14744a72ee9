import type { IpAddress } from '../base/ip.ts';

/** Who holds a pod address: CNI's container id and interface name. */
export interface PodOwner {
  readonly containerId: string;
  readonly ifName: string;
}

export interface PodLease {
  readonly address: IpAddress;
  readonly owner: PodOwner;
}

/**
 * Where pod leases outlive the process. Synchronous, like the O_EXCL create that makes host-local safe between
 * processes: when a call returns, it has happened. Implemented in memory here and in host-local's files by src/node.
 */
export interface LeaseStore {
  /** Everything stored. Called once, before any other. */
  load(): {
    readonly leases: readonly PodLease[];
    readonly lastReserved: ReadonlyMap<number, IpAddress>;
  };
  /** False when the address is stored already, by whomever; then nothing changes. */
  reserve(lease: PodLease): boolean;
  /** Where the round robin of range set `setIndex` goes on after a restart. */
  setLastReserved(setIndex: number, address: IpAddress): void;
  /** No effect when the address is not stored. */
  release(address: IpAddress): void;
}

export class MemoryLeaseStore implements LeaseStore {
  readonly #leases = new Map<IpAddress['value'], PodLease>();
  readonly #lastReserved = new Map<number, IpAddress>();

  load(): { leases: PodLease[]; lastReserved: ReadonlyMap<number, IpAddress> } {
    return { leases: [...this.#leases.values()], lastReserved: new Map(this.#lastReserved) };
  }

  reserve(lease: PodLease): boolean {
    if (this.#leases.has(lease.address.value)) return false;
    this.#leases.set(lease.address.value, lease);
    return true;
  }

  setLastReserved(setIndex: number, address: IpAddress): void {
    this.#lastReserved.set(setIndex, address);
  }

  release(address: IpAddress): void {
    this.#leases.delete(address.value);
  }
}
