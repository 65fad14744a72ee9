import type { SocketAddress } from '../flow.ts';
import type { LocalSource } from './source-ports.ts';

/** Length of the accept queue; the kernel caps it at net.core.somaxconn, 4096 by default. */
export const BACKLOG = 4096;

/**
 * One end of a forwarded connection: what the two ways of driving a socket, and a stream out of the
 * overlay, have in common. It closes itself when both directions have ended.
 */
export interface StreamEnd {
  /** Who is told what happens here. Before `start`; `dial` has done it already. */
  attach(handler: EndHandler): void;
  /** Begins to deliver what arrives; nothing is read before. Once, and not before `connected`. */
  start(): void;
  /**
   * Sends `chunk`. True: it is taken and its memory may be reused. False: it must stay as it is, and
   * nothing more be written, until `drained`.
   */
  write(chunk: Uint8Array): boolean;
  /** After `received` returned false: the chunk is done with, go on reading. */
  resume(): void;
  /** Sends FIN. Not before `drained` when a write returned false. */
  finish(): void;
  /** Sends RST and closes. `closed` follows. Idempotent. */
  reset(): void;
  /** Closes without care for the other side. `closed` follows. Idempotent. */
  close(): void;
  /** After this end and the one it talks to have closed: gives back what reads went to. */
  release(): void;
}

/** Who drives a pair of ends. None of the calls happens inside `dial`, `start` or any other method of the end. */
export interface EndHandler {
  connected(end: StreamEnd): void;
  /** `chunk` is valid during the call; when it returns false, until `resume`, and reading pauses. */
  received(end: StreamEnd, chunk: Uint8Array): boolean;
  drained(end: StreamEnd): void;
  /** FIN has arrived. */
  finished(end: StreamEnd): void;
  /** The last call, exactly once. `error` is absent when both directions ended in order or `close` was called. */
  closed(end: StreamEnd, error: Error | undefined): void;
}

/** A way to open, accept and drive TCP sockets. */
export interface Transport {
  readonly name: string;
  /** Rejects with a ListenError. */
  listen(address: string, port: number, events: AcceptEvents): Promise<TransportListener>;
  /** Takes a socket that listens at `local` already, with whoever waits on it. Rejects with a ListenError, the socket closed. */
  adopt(fd: number, local: SocketAddress, events: AcceptEvents): Promise<TransportListener>;
  /** The end closes with EADDRINUSE or EADDRNOTAVAIL when `source` cannot be had. */
  dial(remote: SocketAddress, source: LocalSource | undefined, handler: EndHandler): StreamEnd;
}

export interface AcceptEvents {
  accepted(end: StreamEnd, source: SocketAddress): void;
  acceptFailed(): void;
}

export interface TransportListener {
  readonly local: SocketAddress;
  /** Resolves when the port is free. Idempotent. */
  close(): Promise<void>;
}
