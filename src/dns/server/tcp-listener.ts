import { createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { Peer } from '../plugin/plugin.ts';
import { bindError, type BoundAddress } from './bind-error.ts';
import type { QueryHandler } from './query-handler.ts';
import { TcpFraming, withLength } from './tcp-framing.ts';

/** CoreDNS's defaults (core/dnsserver: timeouts). */
export interface TcpLimits {
  /** Until the first query is complete. */
  readonly readTimeoutMs: number;
  /** Until a reply is taken by the client. */
  readonly writeTimeoutMs: number;
  /** Between queries. */
  readonly idleTimeoutMs: number;
  /** More are closed as soon as they come. */
  readonly maxConnections: number;
  /** How long `close` keeps answering on connections that are in use. */
  readonly drainTimeoutMs: number;
}

export const DEFAULT_TCP_LIMITS: TcpLimits = {
  readTimeoutMs: 3000,
  writeTimeoutMs: 5000,
  idleTimeoutMs: 10_000,
  maxConnections: 1000,
  drainTimeoutMs: 5000,
};

/**
 * A connection without queries for this long is not in use. Ending one that is would lose what its client has just
 * sent: nobody asks again over TCP before a timeout.
 */
const QUIET_MS = 1000;
/** How long a client may take to close its half. */
const LINGER_MS = 1000;

/** Owns one listening socket and its connections. Queries of one connection are answered in order. */
export class TcpListener implements Resource {
  readonly address: BoundAddress;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #closing: Promise<void> | undefined;

  private constructor(server: Server, address: BoundAddress) {
    this.#server = server;
    this.address = address;
  }

  /** Resolves once bound. Throws a PodwireError with code `DNS_BIND`. */
  static async open(
    address: string,
    port: number,
    handler: QueryHandler,
    options: { readonly clock: Clock; readonly limits: TcpLimits },
  ): Promise<TcpListener> {
    const server = createServer({ noDelay: true });
    server.maxConnections = options.limits.maxConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port }, resolve);
    }).catch((error: unknown) => {
      throw bindError(error, 'TCP', address, port);
    });
    server.removeAllListeners('error');
    const bound = server.address();
    const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
    const listener = new TcpListener(server, { address, port: boundPort });
    server.on('connection', (socket) => {
      const connection = new Connection(socket, handler, listener.address, options);
      listener.#connections.add(connection);
      socket.on('close', () => listener.#connections.delete(connection));
    });
    return listener;
  }

  /** Accepts no more; each connection ends once it is quiet, or what was read by `drainTimeoutMs` is answered. */
  close(): Promise<void> {
    this.#closing ??= this.#stop((connection) => connection.finish());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    this.#closing ??= this.#stop((connection) => connection.destroy());
    return this.#closing;
  }

  #stop(end: (connection: Connection) => void): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const connection of this.#connections) end(connection);
    });
  }
}

/** Reads stop while a query is being answered, so a client that never reads fills only its own window. */
class Connection {
  readonly #socket: Socket;
  readonly #handler: QueryHandler;
  readonly #local: BoundAddress;
  readonly #clock: Clock;
  readonly #limits: TcpLimits;
  readonly #framing = new TcpFraming();
  readonly #peer: Peer;
  #deadline: Timer;
  #busy = false;
  #state: 'serving' | 'draining' | 'ended' = 'serving';
  #lastQueryAt: number;
  #drainedBy = Infinity;

  constructor(
    socket: Socket,
    handler: QueryHandler,
    local: BoundAddress,
    options: { readonly clock: Clock; readonly limits: TcpLimits },
  ) {
    this.#socket = socket;
    this.#handler = handler;
    this.#local = local;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#peer = {
      address: socket.remoteAddress ?? '',
      port: socket.remotePort ?? 0,
      family: socket.remoteFamily === 'IPv6' ? 'IPv6' : 'IPv4',
      protocol: 'tcp',
    };
    this.#lastQueryAt = this.#clock.now();
    this.#deadline = this.#armed(this.#limits.readTimeoutMs);
    socket.on('data', (chunk: Buffer) => {
      if (this.#state === 'ended') return;
      this.#framing.push(chunk);
      if (!this.#busy) void this.#answerAll();
    });
    // A reset by the client is its business, not ours.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#deadline.cancel());
  }

  finish(): void {
    if (this.#state !== 'serving') return;
    this.#state = 'draining';
    this.#drainedBy = this.#clock.now() + this.#limits.drainTimeoutMs;
    if (!this.#busy) this.#endWhenQuiet();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #answerAll(): Promise<void> {
    this.#busy = true;
    this.#lastQueryAt = this.#clock.now();
    this.#socket.pause();
    for (let packet = this.#framing.next(); packet !== undefined; packet = this.#framing.next()) {
      this.#deadline.cancel();
      await this.#answer(packet);
      if (this.#socket.destroyed) return;
      this.#deadline.cancel();
      this.#deadline = this.#armed(this.#limits.idleTimeoutMs);
    }
    this.#busy = false;
    if (this.#state === 'draining') this.#endWhenQuiet();
    this.#socket.resume();
  }

  /** After a pause of the whole process timers come before what has arrived meanwhile: that is read first. */
  #endWhenQuiet(isRead = false): void {
    const now = this.#clock.now();
    const waitMs = Math.min(this.#lastQueryAt + QUIET_MS, this.#drainedBy) - now;
    this.#deadline.cancel();
    if (waitMs > 0) this.#deadline = this.#clock.setTimer(waitMs, () => this.#endWhenQuiet());
    else if (isRead || now >= this.#drainedBy) this.#end();
    else this.#deadline = this.#clock.defer(() => this.#endWhenQuiet(true));
  }

  /** Says that no more is answered, and takes what still comes: a reset would take back answers on their way. */
  #end(): void {
    this.#state = 'ended';
    this.#socket.end();
    this.#deadline = this.#armed(LINGER_MS);
  }

  async #answer(packet: Buffer): Promise<void> {
    const ready = this.#handler.cached(packet);
    if (ready !== undefined) {
      await this.#write(ready);
      return;
    }
    for (const reply of await this.#handler.handle(packet, this.#peer, this.#local))
      await this.#write(reply);
  }

  /** Resolves when the socket takes more, or is gone. */
  #write(reply: Buffer): Promise<void> | undefined {
    if (this.#socket.destroyed || this.#socket.write(withLength(reply))) return undefined;
    return new Promise((resolve) => {
      const timer = this.#armed(this.#limits.writeTimeoutMs);
      const done = (): void => {
        timer.cancel();
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #armed(timeoutMs: number): Timer {
    return this.#clock.setTimer(timeoutMs, () => this.#socket.destroy());
  }
}
