import type { Ipv4Error } from '../wire/ipv4.ts';
import type { NetInterface } from './ip/net-interface.ts';

/** Why a packet went no further: a closed set, one counter each. */
export type DropReason =
  | 'ethernet-truncated'
  | 'ethernet-other-host'
  | 'ethernet-unknown-type'
  | 'arp-malformed'
  | `ipv4-${Ipv4Error}`
  | 'ipv4-not-local'
  | 'ipv4-bad-source'
  | 'ipv4-unknown-protocol'
  | 'ipv4-too-big'
  | 'fragment-malformed'
  | 'fragment-overlap'
  | 'fragment-memory'
  | 'fragment-timeout'
  | 'icmp-malformed'
  | 'icmp-unknown-type'
  | 'icmp-quote-unknown'
  | 'icmp-rate-limited'
  | 'udp-malformed'
  | 'udp-bad-checksum'
  | 'udp-no-socket'
  | 'inner-checksum-partial'
  | 'tcp-malformed'
  | 'tcp-to-everyone'
  | 'tcp-bad-checksum'
  | 'tcp-bad-flags'
  | 'tcp-no-socket'
  | 'tcp-backlog-full'
  | 'tcp-out-of-window'
  | 'tcp-paws'
  | 'tcp-no-timestamp'
  | 'tcp-bad-ack'
  | 'tcp-no-ack'
  | 'tcp-challenged'
  | 'tcp-duplicate'
  | 'tcp-reassembly-full'
  | 'tcp-after-close'
  | 'tcp-unexpected'
  | 'tcp-connection-limit'
  | 'neighbour-queue-full'
  | 'neighbour-unreachable'
  | 'no-route'
  | 'output-queue-full';

/**
 * Sees every dropped packet; `packet` may be undefined where none was built. `unsent`: the interface that a packet of
 * this stack's own, from the headroom on, was to leave by.
 */
export type DropObserver = (
  reason: DropReason,
  packet: Uint8Array | undefined,
  unsent: NetInterface | undefined,
) => void;

/** The one way to drop a packet. */
export class DropLog {
  readonly #counts = new Map<DropReason, number>();
  readonly #observer: DropObserver | undefined;

  constructor(observer?: DropObserver) {
    this.#observer = observer;
  }

  drop(reason: DropReason, packet?: Uint8Array, unsent?: NetInterface): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    this.#observer?.(reason, packet, unsent);
  }

  count(reason: DropReason): number {
    return this.#counts.get(reason) ?? 0;
  }

  /** Every reason seen, sorted by name. */
  counts(): ReadonlyMap<DropReason, number> {
    return new Map([...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}
