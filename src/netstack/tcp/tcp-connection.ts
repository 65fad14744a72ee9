import type { DropLog } from '../drop-log.ts';
import type { IpOutput, Path } from '../ip/ip-output.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { CongestionControl } from './congestion-control.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { RttEstimator } from './rtt-estimator.ts';
import { SendBuffer } from './send-buffer.ts';
import { SentQueue } from './sent-queue.ts';
import { CONGESTION_CONTROLS, type TcpConfig } from './tcp-config.ts';
import type { TcpCounters } from './tcp-counters.ts';

/** RFC 9293 §3.3.2. LISTEN is a {@link TcpListener}'s. */
export type TcpState =
  | 'CLOSED'
  | 'LISTEN'
  | 'SYN-SENT'
  | 'SYN-RECEIVED'
  | 'ESTABLISHED'
  | 'FIN-WAIT-1'
  | 'FIN-WAIT-2'
  | 'CLOSE-WAIT'
  | 'CLOSING'
  | 'LAST-ACK'
  | 'TIME-WAIT';

/** Why a connection ended. `closed` is the orderly end. */
export type CloseReason =
  | 'closed'
  | 'aborted'
  | 'reset'
  | 'refused'
  | 'timed-out'
  | 'host-unreachable'
  | 'address-removed';

/** RFC 9293's sockets pair. */
export interface FourTuple {
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
}

/** What the application is told, from within dispatch: it may call anything but the stack's own entry points. */
export interface TcpHandler {
  connected?(): void;
  /** There is something to read, or the peer has ended its direction. */
  readable?(): void;
  /** There is room again after a short write. */
  writable?(): void;
  /** Once, last. */
  closed?(reason: CloseReason): void;
}

/** What a connection asks of the layer that holds it. */
export interface TcpHost {
  readonly output: IpOutput;
  readonly drops: DropLog;
  readonly counters: TcpCounters;
  /** Puts the connection on the list of the next dispatch. */
  wake(connection: TcpConnection): void;
  /** The connection is in TIME-WAIT: it may be ended early to make room. */
  retired(connection: TcpConnection): void;
  /** The connection is CLOSED: forget it. */
  forget(connection: TcpConnection): void;
}

/** Pending notifications of the application. */
export const TcpEvent = {
  connected: 1,
  readable: 2,
  writable: 4,
  orphaned: 8,
  closed: 16,
} as const;

/** How urgently the peer is owed an acknowledgement. */
export const AckUrgency = { none: 0, delayed: 1, now: 2 } as const;

const NEVER = Number.POSITIVE_INFINITY;
/** Linux: the first segments of a connection are acknowledged at once, to help slow start. */
const QUICK_ACKS = 16;
const DEFAULT_PEER_MSS = 536;

/**
 * The transmission control block, RFC 9293 §3.3.1, as plain state: the modules beside this file act on it.
 * Owned by one {@link TcpHost}.
 */
export class TcpConnection implements FourTuple {
  readonly host: TcpHost;
  readonly config: TcpConfig;
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  state: TcpState = 'CLOSED';
  /** A passive open; decides where a reset in SYN-RECEIVED leads. */
  readonly isPassive: boolean;
  handler: TcpHandler = {};
  events = 0;
  closeReason: CloseReason = 'closed';
  /** The application has let go of both directions. */
  isOrphan = false;
  /** The application wants a reset; the next dispatch sends it. */
  isAborting = false;
  /** The peer's FIN was taken: after what is in the buffer nothing more comes. */
  isReadEnded = false;

  // The host's own.
  nextInBucket: TcpConnection | undefined;
  isDirty = false;
  deadline: number = NEVER;
  heapIndex = -1;

  // Path.
  path: Path | undefined;
  mtuCheckAt = 0;
  peerMssBytes: number = DEFAULT_PEER_MSS;
  /** Payload of a full segment with this connection's usual options. */
  mssBytes: number = DEFAULT_PEER_MSS;

  // Send sequence space.
  readonly iss: number;
  sndUna: number;
  /** Where sending goes on: behind SND.MAX while something below it has to be sent again. */
  sndNxt: number;
  /** The highest sequence number ever sent, plus one. */
  sndMax: number;
  sndWnd = 0;
  sndWl1 = 0;
  sndWl2 = 0;
  sndShift = 0;
  maxSndWnd = 0;
  /** End of the last segment below full size: Minshall's variant of Nagle's algorithm. */
  sndSml: number;
  /** Sequence number of the first byte in {@link sendBuffer}. */
  bufferSeq: number;
  readonly sendBuffer: SendBuffer;
  readonly sent: SentQueue = new SentQueue();
  isFinQueued = false;
  noDelay: boolean;
  wantsWritable = false;

  // Receive sequence space.
  irs = 0;
  rcvNxt = 0;
  /** The right edge last offered. Never moves left. */
  rcvEdge = 0;
  rcvShift = 0;
  /** The peer's SYN offered window scaling. */
  isScaled = false;
  /** The largest segment seen, a guess at the peer's MSS. */
  rcvMssBytes: number = DEFAULT_PEER_MSS;
  /** Sequence number of the peer's FIN, once seen. */
  rcvFin: number | undefined;
  readonly receiveBuffer: ReceiveBuffer;
  ackUrgency: number = AckUrgency.none;
  unackedBytes = 0;
  quickAcks: number = QUICK_ACKS;
  /** Acknowledgements owed to a peer without SACK, that counts them. */
  duplicateAcksOwed = 0;
  lastAckSent = 0;
  dsackLeft = 0;
  dsackRight = 0;

  // Options.
  hasSack = false;
  hasTimestamps = false;
  readonly timestampOffset: number;
  tsRecent = 0;
  tsRecentAt = 0;

  // Round trips, congestion, recovery.
  readonly rtt: RttEstimator;
  congestion: CongestionControl;
  recovery: 'open' | 'recovery' | 'loss' = 'open';
  recoveryPoint = 0;
  isWindowLimited = false;
  lastSentAt = 0;
  duplicateAcks = 0;
  prrDeliveredBytes = 0;
  prrSentBytes = 0;
  prrFlightBytes = 0;
  /** The highest sequence number delivered so far. */
  highestSacked: number;

  // RFC 8985.
  /** The most recently sent segment delivered, by order of transmission; -1 before the first. */
  rackOrder = -1;
  rackRttMs = 0;
  rackReorderSeen = false;
  rackWindowMultiplier = 1;
  rackWindowPersists = 0;
  rackDsackRound: number | undefined;
  tlpEnd: number | undefined;
  tlpIsRetransmission = false;

  // Timers: when due, or Infinity.
  rtoAt: number = NEVER;
  tlpAt: number = NEVER;
  reorderAt: number = NEVER;
  persistAt: number = NEVER;
  ackAt: number = NEVER;
  keepaliveAt: number = NEVER;
  /** TIME-WAIT, or FIN-WAIT-2 of an orphan. */
  lingerAt: number = NEVER;
  retries = 0;
  persistBackoff = 0;
  unansweredProbes = 0;
  readonly challenges: TokenBucket;

  constructor(
    host: TcpHost,
    config: TcpConfig,
    tuple: FourTuple,
    options: { iss: number; timestampOffset: number; isPassive: boolean },
  ) {
    this.host = host;
    this.config = config;
    this.localAddress = tuple.localAddress;
    this.localPort = tuple.localPort;
    this.remoteAddress = tuple.remoteAddress;
    this.remotePort = tuple.remotePort;
    this.isPassive = options.isPassive;
    const { iss } = options;
    this.iss = iss;
    this.sndUna = iss;
    this.sndNxt = iss;
    this.sndMax = iss;
    this.sndSml = iss;
    this.highestSacked = iss;
    this.bufferSeq = (iss + 1) >>> 0;
    this.timestampOffset = options.timestampOffset;
    this.noDelay = config.noDelay;
    this.sendBuffer = new SendBuffer(config.sendBufferBytes);
    this.receiveBuffer = new ReceiveBuffer(config.receiveBufferBytes);
    this.rtt = new RttEstimator(config);
    this.congestion = CONGESTION_CONTROLS[config.congestionControl](DEFAULT_PEER_MSS);
    const perSecond = config.challengeAcksPerSecond;
    this.challenges = new TokenBucket({ perSecond, burst: perSecond });
  }

  /** The sequence number behind the last byte written: where the FIN goes. */
  get dataEnd(): number {
    return (this.bufferSeq + this.sendBuffer.length) >>> 0;
  }

  get isFinSent(): boolean {
    return this.isFinQueued && ((this.sndMax - this.dataEnd) | 0) > 0;
  }

  /** RFC 6675's pipe; without SACK each duplicate ACK stands for a segment that arrived. */
  get pipeBytes(): number {
    const pipe = this.sent.pipeBytes;
    return this.hasSack ? pipe : Math.max(0, pipe - this.duplicateAcks * this.mssBytes);
  }

  notify(event: number): void {
    this.events |= event;
    this.host.wake(this);
  }

  /** RFC 7323's clock: milliseconds with an offset of this connection's own. */
  timestamp(now: number): number {
    return (Math.floor(now) + this.timestampOffset) >>> 0;
  }

  nextDeadline(): number {
    return Math.min(
      this.rtoAt,
      this.tlpAt,
      this.reorderAt,
      this.persistAt,
      this.ackAt,
      this.keepaliveAt,
      this.lingerAt,
    );
  }

  /** Ends the connection in every state. What is unread stays readable, unless it was cut off. */
  close(reason: CloseReason): void {
    if (this.state === 'CLOSED') return;
    this.state = 'CLOSED';
    this.closeReason = reason;
    this.stopTimers();
    this.sendBuffer.release();
    this.sent.release();
    if (reason !== 'closed') this.receiveBuffer.release();
    this.host.forget(this);
    this.notify(TcpEvent.closed);
  }

  stopTimers(): void {
    this.rtoAt = NEVER;
    this.tlpAt = NEVER;
    this.reorderAt = NEVER;
    this.persistAt = NEVER;
    this.ackAt = NEVER;
    this.keepaliveAt = NEVER;
    this.lingerAt = NEVER;
  }
}
