import type { IpAddress } from '../base/ip.ts';
import type { PacketDirection } from '../wire/pcapng.ts';
import type { VxlanError } from '../wire/vxlan.ts';
import type { LinkLossReason } from './link-faults.ts';

/** Why a VTEP let a frame go no further: a closed set, one counter each. */
export type VtepDropReason =
  /** Out: no FDB entry for the inner destination. A kernel counts it as a dropped transmission. */
  | 'no-fdb-entry'
  /** Out: more than a UDP datagram holds. */
  | 'too-big'
  /** Out: the peer's host answered that nothing listens on the VXLAN port. */
  | 'peer-refused'
  /** Out: the system would not send. */
  | 'send-failed'
  /** Out: the system takes no more for now, and enough waits already. */
  | 'send-queue-full'
  /** In: not VXLAN as Linux accepts it. */
  | `vxlan-${VxlanError}`
  /** In: another virtual network. */
  | 'vni-mismatch'
  /** In: no whole inner Ethernet header. */
  | 'inner-truncated'
  /** In: from a host that no lease names, where that is checked. */
  | 'unknown-peer'
  /** Either way: by a fault that somebody asked for. */
  | LinkLossReason;

/** Where a frame was going; the peer is unknown where no entry names one. */
export interface DropPlace {
  readonly direction: PacketDirection;
  readonly peer: IpAddress | undefined;
}

/** Sees every dropped frame, from the VXLAN header on; empty where the system lost it and does not say which. */
export type VtepDropObserver = (
  reason: VtepDropReason,
  datagram: Uint8Array,
  place: DropPlace,
) => void;

/** The one way for a VTEP to drop a frame. */
export class VtepDrops {
  readonly #counts = new Map<VtepDropReason, number>();
  readonly #observer: VtepDropObserver | undefined;
  #outbound = 0;

  constructor(observer?: VtepDropObserver) {
    this.#observer = observer;
  }

  drop(reason: VtepDropReason, datagram: Uint8Array, place: DropPlace): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    if (place.direction === 'outbound') this.#outbound += 1;
    this.#observer?.(reason, datagram, place);
  }

  /** How many frames were to be sent. */
  get outbound(): number {
    return this.#outbound;
  }

  /** Every reason seen. */
  counts(): ReadonlyMap<VtepDropReason, number> {
    return new Map(this.#counts);
  }
}
