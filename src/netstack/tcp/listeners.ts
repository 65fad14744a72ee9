import type { TcpConfig } from './tcp-config.ts';
import type { TcpConnection } from './tcp-connection.ts';
import type { TcpSocket } from './tcp-socket.ts';

/** A LISTEN endpoint. */
export interface TcpListener {
  readonly address: number;
  readonly port: number;
  /** Connections that arrive from now on are refused; those that exist stay. */
  close(): void;
}

export interface ListenOptions {
  /** Connections that are not yet handed over. Beyond it a SYN is dropped. Linux: somaxconn. */
  readonly backlog?: number;
  readonly config?: TcpConfig;
  /** From within dispatch; set a handler before returning. */
  onConnection(socket: TcpSocket): void;
}

/** A listener with the connections that it has not handed over. */
export interface Listening extends TcpListener {
  readonly backlog: number;
  readonly config: TcpConfig;
  readonly onConnection: (socket: TcpSocket) => void;
  pending: number;
}

const ANY = 0;
const DEFAULT_BACKLOG = 4096;

/** The LISTEN endpoints of a stack, by address and port. */
export class Listeners {
  readonly #listeners = new Map<number, Listening>();
  /** Passive opens that the application has not been given, and whose they are. */
  readonly #pending = new Map<TcpConnection, Listening>();

  /** `address` 0 takes connections to every address. Undefined when taken. */
  listen(
    address: number,
    port: number,
    options: ListenOptions & { readonly config: TcpConfig },
  ): TcpListener | undefined {
    const key = keyOf(address, port);
    if (this.#listeners.has(key)) return undefined;
    const listener: Listening = {
      address,
      port,
      backlog: options.backlog ?? DEFAULT_BACKLOG,
      config: options.config,
      onConnection: (socket) => options.onConnection(socket),
      pending: 0,
      close: () => {
        if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
      },
    };
    this.#listeners.set(key, listener);
    return listener;
  }

  /** The one for this address, else the one for all. */
  find(address: number, port: number): Listening | undefined {
    return this.#listeners.get(keyOf(address, port)) ?? this.#listeners.get(keyOf(ANY, port));
  }

  /** The connection takes a place in the backlog until it is handed over. */
  admit(connection: TcpConnection, listener: Listening): void {
    listener.pending += 1;
    this.#pending.set(connection, listener);
  }

  /** Frees its place; undefined for a connection that has none. */
  handOver(connection: TcpConnection): Listening | undefined {
    const listener = this.#pending.get(connection);
    if (listener === undefined) return undefined;
    this.#pending.delete(connection);
    listener.pending -= 1;
    return listener;
  }
}

function keyOf(address: number, port: number): number {
  return address * 0x1_0000 + port;
}
