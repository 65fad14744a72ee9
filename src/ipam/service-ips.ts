import { type Cidr, formatCidr, type IpAddress } from '../base/ip.ts';
import type { Random } from '../base/random.ts';
import { AddressRange, addressPlus, firstAddress, lastAddress } from './address-range.ts';
import type { AllocationTransaction } from './allocation-transaction.ts';
import { BandedRange, type ReleaseOutcome } from './banded-range.ts';

export type ServiceIpOutcome =
  | { readonly kind: 'allocated'; readonly address: IpAddress }
  | { readonly kind: 'inUse'; readonly address: IpAddress; readonly holder: string }
  | { readonly kind: 'outOfRange'; readonly address: IpAddress; readonly cidr: Cidr }
  | { readonly kind: 'exhausted'; readonly cidr: Cidr; readonly total: number };

/** KEP-3070 (ServiceIPStaticSubrange): min(max(16, size/16), 256) low addresses; none in blocks of 16 or less. */
const BAND = { min: 16, max: 256, divisor: 16 } as const;

/**
 * The cluster IPs of one Service CIDR: network + 1 to broadcast - 1 in IPv4, to the last address in IPv6.
 * Holders are named by the caller, usually `namespace/name`. Its state is what the stored Services say: after a
 * restart, {@link claim} every address they carry.
 */
export class ServiceIpAllocator {
  readonly cidr: Cidr;
  readonly #range: AddressRange;
  readonly #slots: BandedRange;

  constructor(options: { readonly cidr: Cidr; readonly random: Random }) {
    this.cidr = options.cidr;
    this.#range = usableRange(options.cidr);
    this.#slots = new BandedRange(
      this.#range.size,
      Math.min(staticBandSize(options.cidr), this.#range.size),
      options.random,
    );
  }

  /** The first usable address, which `default/kubernetes` claims; undefined when the block has none. */
  get first(): IpAddress | undefined {
    return this.#range.size === 0 ? undefined : this.#range.first;
  }

  get total(): number {
    return this.#slots.size;
  }

  get used(): number {
    return this.#slots.used;
  }

  /** How many low addresses are kept for requests by address while others are free. */
  get bandSize(): number {
    return this.#slots.bandSize;
  }

  holder(address: IpAddress): string | undefined {
    const index = this.#range.indexOf(address);
    return index === undefined ? undefined : this.#slots.holder(index);
  }

  /** Every allocation, for a repair loop that compares them with the Services that exist. */
  allocations(): { address: IpAddress; holder: string }[] {
    return Array.from(this.#slots.holders(), ([index, holder]) => ({
      address: this.#range.at(index),
      holder,
    }));
  }

  /** Any free address. */
  allocate(holder: string, transaction?: AllocationTransaction): ServiceIpOutcome {
    const index = this.#slots.allocate(holder);
    if (index === undefined) return { kind: 'exhausted', cidr: this.cidr, total: this.total };
    transaction?.taken(() => this.#slots.release(index, holder));
    return { kind: 'allocated', address: this.#range.at(index) };
  }

  /** This address, in the band or above. */
  claim(address: IpAddress, holder: string, transaction?: AllocationTransaction): ServiceIpOutcome {
    const index = this.#range.indexOf(address);
    if (index === undefined) return { kind: 'outOfRange', address, cidr: this.cidr };
    if (!this.#slots.take(index, holder))
      return { kind: 'inUse', address, holder: this.#slots.holder(index) ?? '' };
    transaction?.taken(() => this.#slots.release(index, holder));
    return { kind: 'allocated', address };
  }

  /** With a transaction: once it commits. The outcome is the present one either way. */
  release(address: IpAddress, holder: string, transaction?: AllocationTransaction): ReleaseOutcome {
    const index = this.#range.indexOf(address);
    if (index === undefined) return { kind: 'notHeld', holder: undefined };
    if (transaction === undefined) return this.#slots.release(index, holder);
    const current = this.#slots.holder(index);
    if (current !== holder) return { kind: 'notHeld', holder: current };
    transaction.releaseOnCommit(() => this.#slots.release(index, holder));
    return { kind: 'released' };
  }
}

/** What a refused allocation says to the user, worded after the API server's. */
export function describeServiceIpRefusal(
  outcome: Exclude<ServiceIpOutcome, { kind: 'allocated' }>,
): string {
  switch (outcome.kind) {
    case 'inUse':
      return `provided IP is already allocated (to ${outcome.holder})`;
    case 'outOfRange':
      return `the provided IP is not in the valid range. The range of valid IPs is ${formatCidr(outcome.cidr)}`;
    case 'exhausted':
      return `range is full: all ${outcome.total} addresses of ${formatCidr(outcome.cidr)} are allocated`;
  }
}

function usableRange(cidr: Cidr): AddressRange {
  const last = lastAddress(cidr);
  return new AddressRange(
    addressPlus(firstAddress(cidr), 1),
    cidr.family === 'IPv4' ? addressPlus(last, -1) : last,
  );
}

function staticBandSize(cidr: Cidr): number {
  const size = 2 ** ((cidr.family === 'IPv4' ? 32 : 128) - cidr.prefixLength);
  if (size <= BAND.min) return 0;
  return Math.min(Math.max(BAND.min, Math.floor(size / BAND.divisor)), BAND.max);
}
