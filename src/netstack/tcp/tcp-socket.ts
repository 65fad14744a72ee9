import { owesWindowUpdate } from './receive-window.ts';
import {
  type CloseReason,
  type FourTuple,
  type TcpConnection,
  TcpEvent,
  type TcpHandler,
  type TcpState,
} from './tcp-connection.ts';

/** What `ss -ti` would show. Bytes and milliseconds. */
export interface TcpInfo {
  readonly state: TcpState;
  readonly mssBytes: number;
  readonly congestionControl: string;
  readonly windowBytes: number;
  readonly slowStartThresholdBytes: number;
  readonly peerWindowBytes: number;
  readonly inFlightBytes: number;
  readonly smoothedRttMs: number;
  readonly rttVarianceMs: number;
  readonly rtoMs: number;
  readonly hasSack: boolean;
  readonly hasTimestamps: boolean;
  /** Shifts of this side's and of the peer's window; 0 without scaling. */
  readonly windowShifts: readonly [number, number];
  /** Written but not acknowledged, received but not read, received beyond a hole or not. */
  readonly sendQueueBytes: number;
  readonly receiveQueueBytes: number;
}

/**
 * The application's end of a connection. Nothing is sent within a call: the stack's next dispatch does
 * that, and calls the handler. After `closed` every call is harmless.
 */
export class TcpSocket implements FourTuple {
  readonly #connection: TcpConnection;

  constructor(connection: TcpConnection) {
    this.#connection = connection;
  }

  get localAddress(): number {
    return this.#connection.localAddress;
  }

  get localPort(): number {
    return this.#connection.localPort;
  }

  get remoteAddress(): number {
    return this.#connection.remoteAddress;
  }

  get remotePort(): number {
    return this.#connection.remotePort;
  }

  get state(): TcpState {
    return this.#connection.state;
  }

  /** Meaningful once CLOSED. */
  get closeReason(): CloseReason {
    return this.#connection.closeReason;
  }

  get readableBytes(): number {
    return this.#connection.receiveBuffer.readyBytes;
  }

  /** The peer has sent its FIN and everything before it was read. */
  get isReadEnded(): boolean {
    return this.#connection.isReadEnded && this.readableBytes === 0;
  }

  get writableBytes(): number {
    return mayWrite(this.#connection) ? this.#connection.sendBuffer.freeBytes : 0;
  }

  /** Replaces the handler; what is pending is told to the new one. */
  setHandler(handler: TcpHandler): void {
    const connection = this.#connection;
    connection.handler = handler;
    if (this.readableBytes > 0 || connection.isReadEnded) connection.notify(TcpEvent.readable);
  }

  /** Nagle's algorithm off or on. */
  setNoDelay(noDelay: boolean): void {
    this.#connection.noDelay = noDelay;
    this.#connection.host.wake(this.#connection);
  }

  /**
   * Copies as much of `data` as fits and returns how much. After a short write `writable` is called
   * once a quarter of the buffer is free. 0 after `end`, or once closed.
   */
  write(data: Uint8Array): number {
    const connection = this.#connection;
    if (!mayWrite(connection)) return 0;
    const accepted = connection.sendBuffer.write(data);
    if (accepted < data.length) connection.wantsWritable = true;
    if (accepted > 0) connection.host.wake(connection);
    return accepted;
  }

  /** The next chunk in order: a view of a received packet, the caller's to keep. Undefined when none is here. */
  read(): Uint8Array | undefined {
    const connection = this.#connection;
    const chunk = connection.receiveBuffer.read();
    if (chunk !== undefined && owesWindowUpdate(connection)) connection.host.wake(connection);
    return chunk;
  }

  /** Ends this direction after what was written; the other stays open. Idempotent. */
  end(): void {
    const connection = this.#connection;
    if (connection.isFinQueued || connection.state === 'CLOSED') return;
    connection.isFinQueued = true;
    if (connection.state === 'ESTABLISHED') connection.state = 'FIN-WAIT-1';
    else if (connection.state === 'CLOSE-WAIT') connection.state = 'LAST-ACK';
    connection.host.wake(connection);
  }

  /**
   * Lets go of both directions: what was written is still delivered, what arrives from now on resets the
   * connection, and so does data that was never read (RFC 1122 §4.2.2.13).
   */
  close(): void {
    const connection = this.#connection;
    connection.handler = {};
    connection.isOrphan = true;
    if (connection.state === 'SYN-SENT' || this.readableBytes > 0) {
      this.abort();
      return;
    }
    this.end();
    connection.notify(TcpEvent.orphaned);
  }

  /** Sends a reset and forgets everything. */
  abort(): void {
    this.#connection.isAborting = true;
    this.#connection.host.wake(this.#connection);
  }

  info(): TcpInfo {
    const connection = this.#connection;
    const { congestion, rtt } = connection;
    return {
      state: connection.state,
      mssBytes: connection.mssBytes,
      congestionControl: congestion.name,
      windowBytes: congestion.windowBytes,
      slowStartThresholdBytes: congestion.slowStartThresholdBytes,
      peerWindowBytes: connection.sndWnd,
      inFlightBytes: connection.pipeBytes,
      smoothedRttMs: rtt.smoothedMs,
      rttVarianceMs: rtt.varianceMs,
      rtoMs: rtt.rtoMs,
      hasSack: connection.hasSack,
      hasTimestamps: connection.hasTimestamps,
      windowShifts: [connection.rcvShift, connection.sndShift],
      sendQueueBytes: connection.sendBuffer.length,
      receiveQueueBytes: this.readableBytes,
    };
  }
}

function mayWrite(connection: TcpConnection): boolean {
  const { state } = connection;
  return (
    !connection.isFinQueued &&
    !connection.isAborting &&
    (state === 'ESTABLISHED' ||
      state === 'CLOSE-WAIT' ||
      state === 'SYN-SENT' ||
      state === 'SYN-RECEIVED')
  );
}
