import type { SocketAddress } from '../flow.ts';
import type { Connection } from './connection.ts';
import type { Destination } from './destination.ts';

/** A client's SYN or datagram as it reaches the director. Addresses are canonical text (base/ip). */
export interface IpvsPacket {
  readonly protocol: 'TCP' | 'UDP';
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  /** Firewall mark; absent or 0: none. */
  readonly fwmark?: number;
  /** It belongs to an older, confirmed conntrack entry: a rescheduled SYN is then dropped first. */
  readonly confirmedConntrack?: boolean;
}

export type IpvsVerdict =
  | {
      readonly kind: 'forward';
      readonly destination: Destination;
      /** Already ended in one-packet scheduling. `destinationPort` says where to. */
      readonly connection: Connection;
    }
  /** ICMP port unreachable. */
  | { readonly kind: 'refused' }
  /** Silence. */
  | {
      readonly kind: 'dropped';
      readonly reason: 'destination-removed' | 'conntrack' | 'table-full';
    }
  /** For the director's own sockets: a VIP without a listener answers with a reset. */
  | { readonly kind: 'pass'; readonly reason: 'no-service' | 'ftp-data-port' | 'ftp' };

/** What became of a packet of a known connection; 'pass' as in {@link IpvsVerdict}: it has no entry now. */
export type PacketFate = 'forward' | 'drop' | 'pass';
