/**
 * Decides the congestion window; loss detection and the pace of recovery are the connection's. All in
 * bytes. A connection owns one.
 */
export interface CongestionControl {
  readonly name: string;
  /** Bytes that may be in the network. Recovery sets it (RFC 6937), the rest of the time the control does. */
  windowBytes: number;
  readonly slowStartThresholdBytes: number;
  /** `ackedBytes` left the network while the window was the limit, outside of fast recovery. */
  onAcked(ackedBytes: number, now: number, smoothedRttMs: number): void;
  /** Loss was detected, once a recovery: lowers the threshold. */
  onLoss(now: number, pipeBytes: number): void;
  /** The retransmission timer expired; `isFirst` of a row of timeouts for the same data. */
  onTimeout(now: number, pipeBytes: number, isFirst: boolean): void;
  /** Nothing was sent for a retransmission timeout (RFC 5681 §4.1). */
  onIdle(): void;
  /** The segment size changed, after path MTU discovery. */
  onSegmentSize(mssBytes: number): void;
}

/** RFC 6928: min(10 MSS, max(2 MSS, 14,600)). */
export function initialWindow(mssBytes: number): number {
  return Math.min(10 * mssBytes, Math.max(2 * mssBytes, 14_600));
}
