import type { Duplex } from 'node:stream';
import type { Resource } from '../../base/lifetime.ts';
import type { ConnectionEvent, SocketAddress } from '../flow.ts';

/**
 * Moves the bytes of TCP connections. It asks where each accepted connection goes, once and
 * synchronously, and from then on needs nobody: half-close, reset and backpressure are passed on inside.
 * Every engine passes test/conformance/engine.ts.
 *
 * `close` stops listening and waits for the connections that are left; `[Symbol.asyncDispose]` resets
 * them.
 */
export interface Engine extends Resource {
  readonly name: string;
  readonly counters: Readonly<EngineCounters>;
  /** Rejects with a {@link ListenError} when the address cannot be had. */
  listen(options: ListenOptions): Promise<EngineListener>;
  /**
   * Forwards a connection that did not come through a listener, such as one out of the overlay. Takes
   * the stream: it is ended, reset or destroyed as the other side says.
   */
  splice(client: Duplex, addresses: ConnectionAddresses, route: Router): void;
  /** From now on no {@link StandingRoute} given so far is followed any more. */
  revokeStanding(): void;
  /** What its threads have done until now is known to observers and counters afterwards; otherwise it may be milliseconds late. */
  catchUp(): void;
}

/** An engine on the main thread, which can take over from one that is not. */
export interface PortableEngine extends Engine {
  /**
   * Takes a socket that listens at the address of `options` already, and serves those who wait on it too. Rejects with a
   * {@link ListenError} when that fails; the socket is closed then.
   */
  adopt(fd: number, options: ListenOptions): Promise<EngineListener>;
}

export interface ListenOptions {
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly route: Router;
}

/** Called once for each connection, before a byte is read from it. Must not throw. */
export type Router = (connection: EngineConnection) => Route;

/** Ending a listener, either way, leaves its connections alone: they belong to the engine. */
export interface EngineListener extends Resource {
  readonly local: SocketAddress;
}

export interface ConnectionAddresses {
  readonly source: SocketAddress;
  /** What the client dialled. */
  readonly destination: SocketAddress;
}

export interface EngineConnection extends ConnectionAddresses {
  readonly bytesFromClient: number;
  readonly bytesFromServer: number;
  /** Resets both sides now. Idempotent. */
  kill(): void;
}

export type Route =
  | DialRoute
  | StreamRoute
  /** RST to the client. */
  | { readonly kind: 'reset' }
  /** Closed without a word: FIN, or RST when the client has already sent something. */
  | { readonly kind: 'close' }
  /** Silence: what the client sends is thrown away until it gives up or the hold time is over. */
  | { readonly kind: 'hold' };

export interface DialTarget {
  readonly address: string;
  readonly port: number;
  /**
   * The source address the server is to see. When it cannot be had (not local, no port left) the
   * kernel's choice is used and counted as `sourcesLost`.
   */
  readonly localAddress?: string;
}

export interface DialRoute extends UpstreamRoute, DialTarget {
  readonly kind: 'dial';
  /** What would do for more connections like this one; asked by engines that can follow it, now and then. */
  standing?(): StandingRoute | undefined;
}

/**
 * An answer to all further connections from the same client address to the same listener, until it is revoked: chance
 * alone decides, so an engine may do so without asking the router, and reports afterwards.
 */
export interface StandingRoute {
  /** At least one; each is as likely as the others. */
  readonly choices: readonly DialTarget[];
  /** Of the draws, 32 bits. */
  readonly seed: number;
  /** A connection goes to one of the choices. Returns who hears of it from now on. Must not throw. */
  taken(connection: EngineConnection, choice: number): ConnectionObserver | undefined;
}

export interface StreamRoute extends UpstreamRoute {
  readonly kind: 'stream';
  /** The way to the server; taken by the engine. Established at once, or at its 'connect' event when `connecting`. */
  open(): Duplex;
}

interface UpstreamRoute {
  /** Absent: as long as the kernel tries (about two minutes on Linux). */
  readonly timeoutMs?: number;
  readonly observer?: ConnectionObserver;
  /** True: the first FIN ends both directions. Otherwise each direction ends by itself. */
  readonly closeTogether?: boolean;
  /** What to do when the server could not be reached. Absent: reset. */
  retry?(error: Error): Route;
}

/**
 * Hears of one attempt to serve a connection, in order. `connect-failed` is followed by `closed`, also when
 * a retry follows: that one has its own observer. Must not throw.
 */
export interface ConnectionObserver {
  event(event: ConnectionEvent, connection: EngineConnection): void;
}

/** Totals since the engine was made, except `active`. */
export interface EngineCounters {
  /** Connections that exist now, held ones included. */
  active: number;
  accepted: number;
  /** Reset on arrival because `maxConnections` were there already. */
  overLimit: number;
  /** accept() failed. Not counted: at the file limit libuv accepts what waits and closes it. */
  acceptErrors: number;
  dialFailures: number;
  /** Dialled, but not from the address asked for. */
  sourcesLost: number;
  /** Of connections that have ended. */
  bytesFromClients: number;
  bytesFromServers: number;
}

/**
 * `code` is the system's: EADDRINUSE (taken), EACCES (a port below net.ipv4.ip_unprivileged_port_start),
 * EADDRNOTAVAIL (not an address of this machine), EMFILE, …
 */
export class ListenError extends Error {
  readonly code: string;
  readonly local: SocketAddress;

  constructor(code: string, local: SocketAddress, options?: ErrorOptions) {
    super(`cannot listen on ${local.address} port ${local.port}: ${code}`, options);
    this.name = 'ListenError';
    this.code = code;
    this.local = local;
  }
}
