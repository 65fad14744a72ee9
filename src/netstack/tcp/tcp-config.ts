import type { CongestionControl } from './congestion-control.ts';
import { Cubic } from './cubic.ts';
import { NewReno } from './new-reno.ts';

/** Congestion controls by the names Linux uses. */
export const CONGESTION_CONTROLS = {
  reno: (mssBytes: number): CongestionControl => new NewReno(mssBytes),
  cubic: (mssBytes: number): CongestionControl => new Cubic(mssBytes),
} as const;

export type CongestionControlName = keyof typeof CONGESTION_CONTROLS;

/** RFC 1122 §4.2.3.6. Linux, where it is on: two hours, then nine probes 75 s apart. */
export interface KeepaliveConfig {
  readonly idleMs: number;
  readonly intervalMs: number;
  readonly probes: number;
}

export interface TcpConfig {
  /** What `write` may run ahead of the peer's acknowledgements. */
  readonly sendBufferBytes: number;
  /** The largest window offered. */
  readonly receiveBufferBytes: number;
  readonly congestionControl: CongestionControlName;
  /** How losses are found with SACK: by time (RFC 8985) or by counting (RFC 6675). */
  readonly lossDetection: 'rack' | 'sack';
  readonly sack: boolean;
  readonly timestamps: boolean;
  readonly windowScaling: boolean;
  /** Send small segments at once, without Nagle's algorithm. */
  readonly noDelay: boolean;
  readonly delayedAckMs: number;
  readonly initialRtoMs: number;
  readonly minRtoMs: number;
  readonly maxRtoMs: number;
  /** Retransmissions before giving up: of a SYN, of a SYN-ACK, of data, of data whose owner has left. */
  readonly synRetries: number;
  readonly synAckRetries: number;
  readonly dataRetries: number;
  readonly orphanRetries: number;
  readonly timeWaitMs: number;
  /** How long a fully closed socket waits for the peer's FIN. */
  readonly finWait2Ms: number;
  readonly keepalive: KeepaliveConfig | undefined;
  /** RFC 5961 §7, a connection. */
  readonly challengeAcksPerSecond: number;
}

/** Linux's defaults, where the reference names no other. */
export const DEFAULT_TCP_CONFIG: TcpConfig = {
  sendBufferBytes: 1024 * 1024,
  receiveBufferBytes: 1024 * 1024,
  congestionControl: 'cubic',
  lossDetection: 'rack',
  sack: true,
  timestamps: true,
  windowScaling: true,
  noDelay: false,
  delayedAckMs: 40,
  initialRtoMs: 1000,
  minRtoMs: 200,
  maxRtoMs: 120_000,
  synRetries: 6,
  synAckRetries: 5,
  dataRetries: 15,
  orphanRetries: 8,
  timeWaitMs: 60_000,
  finWait2Ms: 60_000,
  keepalive: undefined,
  challengeAcksPerSecond: 10,
};

const POSITIVE = [
  'sendBufferBytes',
  'receiveBufferBytes',
  'initialRtoMs',
  'minRtoMs',
  'maxRtoMs',
  'challengeAcksPerSecond',
] as const;

/** Defaults, then checks. Throws a RangeError that names the field. */
export function resolveTcpConfig(config: Partial<TcpConfig>): TcpConfig {
  const resolved = { ...DEFAULT_TCP_CONFIG, ...config };
  for (const field of POSITIVE)
    if (!(resolved[field] > 0))
      throw new RangeError(`tcp.${field} must be above 0, not ${resolved[field]}`);
  if (resolved.receiveBufferBytes > 2 ** 30 - 1)
    throw new RangeError('tcp.receiveBufferBytes must be below 2^30: the largest scaled window');
  return Object.freeze(resolved);
}
