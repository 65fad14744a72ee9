import type { TcpState } from './tcp-states.ts';

/** `ipvsadm --set tcp tcpfin udp`; absent or 0 leaves a value as it is. */
export interface TimeoutChange {
  readonly tcpMs?: number;
  readonly tcpFinMs?: number;
  readonly udpMs?: number;
}

/**
 * How long an entry lives after its last packet, by the state after that packet. Only ESTABLISHED,
 * FIN_WAIT and UDP can be set; a normally closed connection stays 120 s in TIME_WAIT whatever is set.
 */
export class ConnectionTimeouts {
  readonly tcpMs: Record<TcpState, number> = {
    NONE: 2_000,
    ESTABLISHED: 900_000,
    SYN_SENT: 120_000,
    SYN_RECV: 60_000,
    FIN_WAIT: 120_000,
    TIME_WAIT: 120_000,
    CLOSE: 10_000,
    CLOSE_WAIT: 60_000,
    LAST_ACK: 30_000,
    LISTEN: 120_000,
    SYNACK: 120_000,
  };
  udpMs = 300_000;

  /** Holds for an entry from its next packet. */
  set(change: TimeoutChange): void {
    this.tcpMs.ESTABLISHED = orKeep(change.tcpMs, this.tcpMs.ESTABLISHED);
    this.tcpMs.FIN_WAIT = orKeep(change.tcpFinMs, this.tcpMs.FIN_WAIT);
    this.udpMs = orKeep(change.udpMs, this.udpMs);
  }
}

function orKeep(value: number | undefined, current: number): number {
  return value === undefined || value === 0 ? current : value;
}
