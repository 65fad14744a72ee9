import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import type { SocketAddress } from '../../flow.ts';
import {
  type ConnectionAddresses,
  type Engine,
  type EngineCounters,
  type EngineListener,
  ListenError,
  type ListenOptions,
  type Router,
} from '../engine.ts';
import { BACKLOG } from '../stream-end.ts';
import type { EngineLimits } from '../stream-engine.ts';
import { IPPROTO_TCP, SO_REUSEADDR, SOL_SOCKET, TCP_NODELAY } from './abi.ts';
import type { BackendName } from './forwarder.ts';
import { ForwarderThread } from './forwarder-thread.ts';
import { FIELD, TO_MAIN, TO_WORKER } from './mailbox.ts';
import { RemoteConnection, type RemoteConnectionHost } from './remote-connection.ts';
import { decodeSockaddr, encodeSockaddr } from './sockaddr.ts';
import { errnoError, type Linux } from './system-calls.ts';

export interface LinuxEngineOptions {
  readonly linux: Linux;
  readonly backend: BackendName;
  /** Taken. Serves what the forwarding thread does not, and everything after its death. */
  readonly portable: Engine;
  readonly clock: Clock;
  readonly limits?: Partial<EngineLimits>;
  /** The forwarding thread has died; its connections are lost, its listeners go on in the portable engine. */
  onCrash?(error: Error): void;
  /** After a crash: the portable engine could not take over this listener, which is lost. */
  onListenerLost?(local: SocketAddress, error: unknown): void;
}

const DEFAULT_MAX_CONNECTIONS = 65_536;
/** Connections that wait for the word that they are too many. */
const SPARE_SLOTS = 256;
const LISTENER_SLOTS = 16_384;

interface Listening {
  readonly local: SocketAddress;
  readonly route: Router;
  unlistened?: () => void;
  closing?: Promise<void>;
  /** Set once the forwarding thread has died. */
  portable?: Promise<EngineListener | undefined>;
}

/**
 * Forwards in a thread of its own with epoll or io_uring, and splice(2). The main thread hears of each connection
 * when it is accepted, when it ends and when something happens to it in between, never of its bytes. Connections
 * whose server is not a socket of this machine are served by the portable engine, which takes over the accepted
 * socket.
 */
export class LinuxEngine implements Engine {
  readonly name: BackendName;
  readonly #options: LinuxEngineOptions;
  readonly #maxConnections: number;
  readonly #portable: Engine;
  readonly #counters: EngineCounters = {
    active: 0,
    accepted: 0,
    overLimit: 0,
    acceptErrors: 0,
    dialFailures: 0,
    sourcesLost: 0,
    bytesFromClients: 0,
    bytesFromServers: 0,
  };
  readonly #listeners = new Map<number, Listening>();
  readonly #freeListenerSlots: number[] = [];
  readonly #connections = new Map<number, RemoteConnection>();
  #thread: ForwarderThread | undefined;
  #host: RemoteConnectionHost | undefined;
  #crashed = false;
  #listenersMade = 0;
  #ending = false;
  #idle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: LinuxEngineOptions) {
    this.#options = options;
    this.name = options.backend;
    this.#maxConnections = options.limits?.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    this.#portable = options.portable;
  }

  get counters(): Readonly<EngineCounters> {
    const own = this.#counters;
    const portable = this.#portable.counters;
    const sum = (key: keyof EngineCounters): number => own[key] + portable[key];
    return {
      active: sum('active'),
      accepted: sum('accepted'),
      overLimit: sum('overLimit'),
      acceptErrors: sum('acceptErrors') + (this.#thread?.counter('acceptErrors') ?? 0),
      dialFailures: sum('dialFailures'),
      sourcesLost: sum('sourcesLost') + (this.#thread?.counter('sourcesLost') ?? 0),
      bytesFromClients: sum('bytesFromClients'),
      bytesFromServers: sum('bytesFromServers'),
    };
  }

  async listen(options: ListenOptions): Promise<EngineListener> {
    if (this.#ending) throw new Error('the engine has ended and cannot listen');
    if (this.#lost()) return this.#portable.listen(options);
    const thread = this.#start();
    await thread.ready;
    if (this.#lost()) return this.#portable.listen(options);
    const { fd, local } = this.#open(thread, options);
    const slot = this.#takeListenerSlot(thread, fd, local);
    thread.give(fd);
    thread.table.set(slot, FIELD.fd, fd);
    const listening: Listening = { local, route: options.route };
    this.#listeners.set(slot, listening);
    thread.post(slot, TO_WORKER.listen);
    // The end may have come while the thread was being started.
    if (this.#ending) await this.#unlisten(slot, listening);
    const close = (): Promise<void> => this.#unlisten(slot, listening);
    return { local, close, [Symbol.asyncDispose]: close };
  }

  splice(client: Duplex, addresses: ConnectionAddresses, route: Router): void {
    this.#portable.splice(client, addresses, route);
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close();
    for (const connection of this.#connections.values()) connection.kill();
    await this.#portable[Symbol.asyncDispose]();
    await closed;
  }

  #lost(): boolean {
    return this.#crashed;
  }

  #start(): ForwarderThread {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new ForwarderThread({
      linux: this.#options.linux,
      backend: this.#options.backend,
      connectionSlots: (this.#maxConnections + SPARE_SLOTS + 1) & ~1,
      listenerSlots: LISTENER_SLOTS,
      onMessage: (slot, message) => this.#hear(slot, message),
      onCrash: (error) => this.#takeOver(error),
    });
    this.#thread = thread;
    this.#host = {
      thread,
      clock: this.#options.clock,
      portable: this.#portable,
      counters: this.#counters,
      ended: (connection) => this.#ended(connection),
    };
    return thread;
  }

  /** Bound and listening here, so that a refusal is known at once. */
  #open(
    thread: ForwarderThread,
    { address, port }: ListenOptions,
  ): { fd: number; local: SocketAddress } {
    const { sockets } = thread;
    const refuse = (errno: number): ListenError => {
      const cause = errnoError(errno, 'listen');
      return new ListenError(cause.code, { address, port }, { cause });
    };
    encodeSockaddr({ address, port }, new Uint8Array(sockets.sockaddr.buffer));
    const fd = sockets.open();
    if (fd < 0) throw refuse(-fd);
    sockets.enable(fd, SOL_SOCKET, SO_REUSEADDR);
    sockets.enable(fd, IPPROTO_TCP, TCP_NODELAY);
    const result = sockets.bind(fd) || sockets.listen(fd, BACKLOG) || sockets.localAddress(fd);
    if (result < 0) {
      thread.closeSocket(fd);
      throw refuse(-result);
    }
    return {
      fd,
      local: { address, port: decodeSockaddr(new Uint8Array(sockets.sockaddr.buffer)).port },
    };
  }

  #takeListenerSlot(thread: ForwarderThread, fd: number, local: SocketAddress): number {
    const free = this.#freeListenerSlots.pop();
    if (free !== undefined) return free;
    if (this.#listenersMade === LISTENER_SLOTS) {
      thread.closeSocket(fd);
      throw new ListenError('EMFILE', local);
    }
    this.#listenersMade += 1;
    return thread.firstListenerSlot + this.#listenersMade - 1;
  }

  #unlisten(slot: number, listening: Listening): Promise<void> {
    listening.closing ??= this.#closeListener(slot, listening);
    return listening.closing;
  }

  async #closeListener(slot: number, listening: Listening): Promise<void> {
    if (listening.portable !== undefined) {
      await (await listening.portable)?.close();
      return;
    }
    await new Promise<void>((resolve) => {
      listening.unlistened = resolve;
      this.#thread?.post(slot, TO_WORKER.unlisten);
    });
  }

  #hear(slot: number, message: number): void {
    if (message === TO_MAIN.accepted) this.#accepted(slot);
    else if (message === TO_MAIN.unlistened) {
      this.#listeners.get(slot)?.unlistened?.();
      this.#listeners.delete(slot);
      this.#freeListenerSlots.push(slot);
    } else this.#connections.get(slot)?.hear(message);
  }

  #accepted(slot: number): void {
    const host = this.#host;
    if (host === undefined) return;
    const listening = this.#listeners.get(host.thread.table.get(slot, FIELD.listener));
    const destination = listening?.local ?? { address: '', port: 0 };
    const connection = new RemoteConnection(host, slot, destination);
    this.#connections.set(slot, connection);
    this.#counters.accepted += 1;
    this.#counters.active += 1;
    const full = this.#counters.active + this.#portable.counters.active > this.#maxConnections;
    if (full || this.#ending || listening === undefined) {
      this.#counters.overLimit += 1;
      connection.follow({ kind: 'reset' });
    } else connection.follow(listening.route(connection));
  }

  #ended(connection: RemoteConnection): void {
    this.#connections.delete(connection.slot);
    this.#counters.active -= 1;
    this.#counters.bytesFromClients += connection.bytesFromClient;
    this.#counters.bytesFromServers += connection.bytesFromServer;
    if (this.#counters.active === 0) this.#idle?.();
  }

  async #drain(): Promise<void> {
    this.#ending = true;
    await Promise.all(
      [...this.#listeners].map(([slot, listening]) => this.#unlisten(slot, listening)),
    );
    if (this.#counters.active > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    await this.#portable.close();
    await this.#thread?.stop();
  }

  /** The sockets have been closed; ports are free, connections gone. */
  #takeOver(error: Error): void {
    this.#crashed = true;
    for (const connection of this.#connections.values()) connection.lost();
    for (const listening of this.#listeners.values()) {
      listening.unlistened?.();
      if (this.#ending || listening.unlistened !== undefined) continue;
      listening.portable = this.#listenAgain(listening);
    }
    this.#options.onCrash?.(error);
  }

  /** Undefined: the address is no longer to be had. */
  async #listenAgain({ local, route }: Listening): Promise<EngineListener | undefined> {
    try {
      return await this.#portable.listen({ ...local, route });
    } catch (error) {
      this.#options.onListenerLost?.(local, error);
      return undefined;
    }
  }
}
