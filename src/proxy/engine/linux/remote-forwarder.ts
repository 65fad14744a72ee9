import type { Clock } from '../../../base/clock.ts';
import type { SocketAddress } from '../../flow.ts';
import type { EngineCounters, EngineListener, PortableEngine, Route, Router } from '../engine.ts';
import { SHUT_RD } from '../../../base/linux/abi.ts';
import type { BackendName } from './forwarder.ts';
import { ForwarderThread } from './forwarder-thread.ts';
import { FIELD, TO_MAIN, TO_WORKER } from './mailbox.ts';
import { RemoteConnection, type RemoteConnectionHost } from './remote-connection.ts';
import type { Linux, SystemCalls } from '../../../base/linux/system-calls.ts';
import type { TcpSockets } from './tcp-sockets.ts';

const LISTENER_SLOTS = 16_384;
/** Connections that wait for the word that they are too many. */
const SPARE_SLOTS = 256;

export interface RemoteForwarderOptions {
  readonly linux: Linux;
  readonly backend: BackendName;
  readonly clock: Clock;
  /** Serves what the thread does not, and its listeners after its death. */
  readonly portable: PortableEngine;
  readonly counters: EngineCounters;
  readonly maxConnections: number;
  /** Where an accepted connection goes, asked once for each. */
  route(connection: RemoteConnection, router: Router | undefined): Route;
  /** A connection that follows a standing route, and is here from now on. False: it must not be. */
  taken(): boolean;
  /** It is no longer the thread's. */
  ended(connection: RemoteConnection): void;
  /** The thread has died, and its connections with it. */
  onCrash(error: Error): void;
  /** After a crash: the portable engine could not take over this listener, which is lost. */
  onListenerLost(local: SocketAddress, error: unknown): void;
}

/** A socket that the thread accepts from. */
interface RemoteListener {
  readonly fd: number;
  readonly local: SocketAddress;
  readonly route: Router;
  /** Set while its end is awaited. */
  unlistened?: () => void;
  /** Set once the thread has died; undefined inside: it was lost. */
  successor?: Promise<EngineListener | undefined>;
}

/**
 * One forwarding thread as the main thread knows it: its listeners and its connections, each in a slot. When the thread
 * dies its connections are lost, and the portable engine goes on accepting from its listening sockets, with those who wait there.
 */
export class RemoteForwarder {
  readonly #options: RemoteForwarderOptions;
  readonly #thread: ForwarderThread;
  readonly #host: RemoteConnectionHost;
  readonly #listeners = new Map<number, RemoteListener>();
  readonly #freeListenerSlots: number[] = [];
  #listenersMade = 0;
  readonly #connections = new Map<number, RemoteConnection>();
  #killing = false;
  #dead = false;

  constructor(options: RemoteForwarderOptions) {
    this.#options = options;
    this.#thread = new ForwarderThread({
      linux: options.linux,
      backend: options.backend,
      connectionSlots: (options.maxConnections + SPARE_SLOTS + 1) & ~1,
      listenerSlots: LISTENER_SLOTS,
      onMessage: (slot, message) => this.#hear(slot, message),
      onCrash: (error) => this.#crashed(error),
    });
    const { clock, portable, counters } = options;
    this.#host = {
      thread: this.#thread,
      clock,
      portable,
      counters,
      ended: (connection) => {
        this.#connections.delete(connection.slot);
        options.ended(connection);
      },
    };
  }

  /** Resolves when it runs, or has died instead. */
  get ready(): Promise<void> {
    return this.#thread.ready;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get full(): boolean {
    return this.#freeListenerSlots.length === 0 && this.#listenersMade === LISTENER_SLOTS;
  }

  /** Argument memory for system calls of the main thread, while this lives. */
  get tools(): { readonly calls: SystemCalls; readonly sockets: TcpSockets } {
    return { calls: this.#options.linux.calls, sockets: this.#thread.sockets };
  }

  counter(which: 'acceptErrors' | 'sourcesLost'): number {
    return this.#thread.counter(which);
  }

  /** Takes a socket that listens. Not when dead or full. */
  listen(fd: number, local: SocketAddress, route: Router): () => Promise<void> {
    const slot = this.#freeListenerSlots.pop() ?? this.#nextListenerSlot();
    const listener: RemoteListener = { fd, local, route };
    this.#listeners.set(slot, listener);
    this.#thread.give(fd);
    this.#thread.table.set(slot, FIELD.fd, fd);
    this.#thread.post(slot, TO_WORKER.listen);
    let closed: Promise<void> | undefined;
    return () => (closed ??= this.#unlisten(slot, listener));
  }

  /** The thread asks about every connection from now on. */
  revokeStanding(): void {
    this.#thread.standing.revoke();
  }

  /** Hears now of what the thread has done until now. */
  catchUp(): void {
    this.#thread.catchUp();
  }

  /** Also those that the thread has not told of yet. */
  killAll(): void {
    this.#killing = true;
    for (const connection of this.#connections.values()) connection.kill();
  }

  /** After its last listener and connection. */
  stop(): Promise<void> {
    return this.#thread.stop();
  }

  #nextListenerSlot(): number {
    this.#listenersMade += 1;
    return this.#thread.firstListenerSlot + this.#listenersMade - 1;
  }

  async #unlisten(slot: number, listener: RemoteListener): Promise<void> {
    if (this.#dead) {
      const successor = await listener.successor;
      // A dead thread's io_uring may hold on to the socket for a moment longer: this stops it from listening now.
      if (successor !== undefined) this.#options.linux.calls.shutdown(listener.fd, SHUT_RD);
      await successor?.close();
      return;
    }
    await new Promise<void>((resolve) => {
      listener.unlistened = resolve;
      this.#thread.post(slot, TO_WORKER.unlisten);
    });
  }

  #hear(slot: number, message: number): void {
    if (message === TO_MAIN.accepted) this.#accepted(slot);
    else if (message === TO_MAIN.unlistened) {
      this.#listeners.get(slot)?.unlistened?.();
      this.#listeners.delete(slot);
      // The slot's next listener is another.
      this.#thread.standing.revoke();
      this.#freeListenerSlots.push(slot);
    } else this.#connections.get(slot)?.hear(message);
  }

  #accepted(slot: number): void {
    const listener = this.#listeners.get(this.#thread.table.get(slot, FIELD.listener));
    const connection = new RemoteConnection(this.#host, slot, listener?.local ?? NOWHERE);
    this.#connections.set(slot, connection);
    const standing = this.#thread.table.get(slot, FIELD.standing);
    if (standing === 0) connection.follow(this.#options.route(connection, listener?.route));
    else this.#followed(connection, standing);
  }

  #followed(connection: RemoteConnection, standing: number): void {
    const { table } = this.#thread;
    const wanted = this.#options.taken() && !this.#killing;
    const choice = table.get(connection.slot, FIELD.choice);
    connection.followed(
      wanted ? this.#thread.standing.find(standing)?.taken(connection, choice) : undefined,
    );
    if (!wanted) connection.kill();
  }

  #crashed(error: Error): void {
    this.#dead = true;
    // The thread's last deed may have been to close it, so that its number is nobody's or another's.
    for (const listener of this.#listeners.values())
      if (listener.unlistened !== undefined) listener.unlistened();
      else {
        this.#thread.takeBack(listener.fd);
        listener.successor = this.#adopt(listener);
      }
    for (const connection of this.#connections.values()) connection.lost();
    this.#options.onCrash(error);
  }

  async #adopt({ fd, local, route }: RemoteListener): Promise<EngineListener | undefined> {
    try {
      return await this.#options.portable.adopt(fd, { ...local, route });
    } catch (error) {
      this.#options.onListenerLost(local, error);
      return undefined;
    }
  }
}

const NOWHERE: SocketAddress = { address: '', port: 0 };
