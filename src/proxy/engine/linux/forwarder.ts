import type { Clock } from '../../../base/clock.ts';
import * as abi from '../../../base/linux/abi.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';
import type { Backend, BackendHost } from './backend.ts';
import { BUFFER_BYTES, BufferPool } from './buffer-pool.ts';
import type { Conversation } from './conversation.ts';
import { Descriptors } from './descriptors.ts';
import type { DirectionTools } from './direction.ts';
import { EpollBackend } from './epoll-backend.ts';
import {
  COUNTER,
  FIELD,
  HEADER,
  Mailbox,
  SIDE,
  SlotTable,
  SOCKADDR_FIELD,
  TO_MAIN,
  TO_WORKER,
} from './mailbox.ts';
import { PipePool } from './pipe-pool.ts';
import { RingBackend } from './ring-backend.ts';
import { SlotPool } from './slot-pool.ts';
import { StandingPicks } from './standing-routes.ts';
import { TcpSockets } from './tcp-sockets.ts';

export type BackendName = 'epoll' | 'uring';
const BACKENDS: Readonly<
  Record<BackendName, new (linux: Linux, sockets: TcpSockets, host: BackendHost) => Backend>
> = { epoll: EpollBackend, uring: RingBackend };

/** What the main thread gives the forwarding thread. */
export interface ForwarderInput {
  readonly backend: BackendName;
  readonly table: SharedArrayBuffer;
  readonly descriptors: SharedArrayBuffer;
  readonly memory: SharedArrayBuffer;
  readonly offers: SharedArrayBuffer;
  readonly slots: number;
  /** Slots from here on are listeners. */
  readonly firstListenerSlot: number;
  /** eventfds, the main thread's to close: one wakes this thread, the other the main thread. */
  readonly wakeFd: number;
  readonly mainFd: number;
}

const ACCEPTS_A_TURN = 64;
/** What closes the descriptor we need may be none of ours, so accepting is tried again by itself. */
const ACCEPT_PAUSE_MS = 100;
const ACCEPT_LIMITS: readonly number[] = [abi.EMFILE, abi.ENFILE, abi.ENOBUFS, abi.ENOMEM];
/** News that nobody waits for go with others, with the first idle millisecond, or after so many turns. */
const LAZY_TURNS = 64;
const LAZY_WAIT_MS = 1;
/** At the end requests fail at once, so this is never reached. */
const RELEASE_WAIT_MS = 10;
const RELEASE_WAITS = 500;

/**
 * The forwarding thread: accepts, asks the main thread where each connection goes unless a standing route says so, and
 * dials; its backend moves the bytes. Waits in the backend and nowhere else.
 */
export class Forwarder implements BackendHost {
  readonly clock: Clock;
  readonly tools: DirectionTools;
  readonly descriptors: Descriptors;
  readonly wakeFd: number;
  readonly firstListenerSlot: number;

  readonly #input: ForwarderInput;
  readonly #table: SlotTable;
  readonly #inbox: Mailbox;
  readonly #outbox: Mailbox;
  readonly #backend: Backend;
  readonly #sockets: TcpSockets;
  readonly #slots: SlotPool;
  readonly #standing: StandingPicks;

  readonly #conversations = new Map<number, Conversation>();
  readonly #listeners = new Set<number>();
  #paused = false;
  #news: 'none' | 'lazy' | 'urgent' = 'none';
  #lazyTurns = 0;

  constructor(linux: Linux, input: ForwarderInput, clock: Clock) {
    this.#input = input;
    this.clock = clock;
    this.#table = new SlotTable(input.table, input.slots);
    this.#standing = new StandingPicks(this.#table, input.offers);
    this.#inbox = new Mailbox(this.#table, SIDE.worker);
    this.#outbox = new Mailbox(this.#table, SIDE.main);
    this.#slots = new SlotPool(
      input.firstListenerSlot,
      (slot) => this.#outbox.pending(slot) || this.#inbox.pending(slot),
    );
    this.descriptors = new Descriptors(linux, input.descriptors);
    this.#sockets = new TcpSockets(linux);
    this.tools = {
      calls: linux.calls,
      pipes: new PipePool(linux, this.descriptors),
      buffers: new BufferPool(linux, BUFFER_BYTES),
      scratch: linux.map(BUFFER_BYTES).address,
    };
    this.wakeFd = input.wakeFd;
    this.firstListenerSlot = input.firstListenerSlot;
    const Chosen = BACKENDS[input.backend];
    this.#backend = new Chosen(linux, this.#sockets, this);
  }

  /** Returns when the main thread says so, with every descriptor closed. */
  run(): void {
    const { words } = this.#table;
    while (Atomics.load(words, HEADER.stop) === 0) {
      // First the flag, then the look at what has come: a message after the look rings the bell.
      Atomics.store(words, HEADER.workerSleeps, 1);
      const count = this.#backend.wait(this.#timeoutMs());
      Atomics.store(words, HEADER.workerSleeps, 0);
      this.#inbox.drain(this.#receive);
      if (count === 0 && this.#paused) this.#resume();
      this.#standing.acknowledge();
      if (this.#news !== 'none') this.#report(count === 0);
    }
    this.#release();
  }

  tell(conversation: Conversation, message: number): void {
    const { slot } = conversation;
    this.counted(conversation);
    this.#outbox.post(slot, message);
    if (this.#news === 'none') this.#news = 'lazy';
  }

  /** The same, and the main thread is to look at it at once. */
  #ask(conversation: Conversation, message: number): void {
    this.tell(conversation, message);
    this.#news = 'urgent';
  }

  counted(conversation: Conversation): void {
    const { slot } = conversation;
    this.#table.setCount(slot, COUNTER.fromClient, conversation.bytesFromClient);
    this.#table.setCount(slot, COUNTER.fromServer, conversation.bytesFromServer);
  }

  dialFailed(conversation: Conversation, errno: number): void {
    this.#table.set(conversation.slot, FIELD.errno, errno);
    this.#ask(conversation, TO_MAIN.dialFailed);
    if (this.#paused) this.#resume();
  }

  ended(conversation: Conversation): void {
    this.tell(conversation, TO_MAIN.closed);
    this.#forget(conversation);
  }

  #timeoutMs(): number {
    const stopping = Atomics.load(this.#table.words, HEADER.stop) !== 0;
    if (stopping || this.#backend.busy || !this.#inbox.empty) return 0;
    if (this.#news !== 'none') return LAZY_WAIT_MS;
    return this.#paused ? ACCEPT_PAUSE_MS : -1;
  }

  /** Wakes the main thread, unless that may wait or has been done. */
  #report(idle: boolean): void {
    this.#lazyTurns += 1;
    if (this.#news === 'lazy' && !idle && this.#lazyTurns < LAZY_TURNS) return;
    this.#news = 'none';
    this.#lazyTurns = 0;
    if (Atomics.exchange(this.#table.words, HEADER.mainRung, 1) === 0)
      this.#sockets.signal(this.#input.mainFd);
  }

  readonly #receive = (slot: number, message: number): void => {
    if (message === TO_WORKER.listen) {
      this.#listeners.add(slot);
      if (!this.#paused) this.#watchListener(slot);
      return;
    }
    if (message === TO_WORKER.unlisten) {
      this.#unlisten(slot);
      return;
    }
    const conversation = this.#conversations.get(slot);
    if (conversation === undefined) return;
    switch (message) {
      case TO_WORKER.dial:
        this.#standing.learn(slot);
        this.#dial(conversation);
        break;
      case TO_WORKER.abortDial:
        conversation.abortDial();
        break;
      case TO_WORKER.released:
        conversation.release();
        this.#forget(conversation);
        break;
      case TO_WORKER.kill:
        conversation.kill();
        break;
      default:
        throw new Error(`unknown message ${message}`);
    }
  };

  #watchListener(slot: number): void {
    this.#backend.watchListener(slot, this.#table.get(slot, FIELD.fd));
  }

  #unlisten(slot: number): void {
    const fd = this.#table.get(slot, FIELD.fd);
    this.#listeners.delete(slot);
    this.#backend.closeListener(slot, fd);
    this.#outbox.post(slot, TO_MAIN.unlistened);
    this.#news = 'urgent';
  }

  acceptSome(listener: number): boolean {
    const fd = this.#table.get(listener, FIELD.fd);
    for (let left = ACCEPTS_A_TURN; left > 0 && !this.#paused; left -= 1) {
      const slot = this.#slots.take();
      if (slot === undefined) this.#pause();
      else if (!this.#accept(listener, fd, slot)) break;
    }
    return !this.#paused;
  }

  /** False: nobody waits. */
  #accept(listener: number, fd: number, slot: number): boolean {
    const client = this.#sockets.accept(fd);
    if (client >= 0) {
      this.#accepted(listener, slot, client);
      return true;
    }
    this.#slots.putBack(slot);
    if (client === -abi.EAGAIN) return false;
    if (client !== -abi.EINTR) this.#acceptFailed(-client);
    return true;
  }

  /** Other errors speak of one connection that broke while it waited, see accept(2). */
  #acceptFailed(errno: number): void {
    Atomics.add(this.#table.words, HEADER.acceptErrors, 1);
    if (ACCEPT_LIMITS.includes(errno)) this.#pause();
  }

  #accepted(listener: number, slot: number, client: number): void {
    const table = this.#table;
    const generation = (table.get(slot, FIELD.generation) + 1) | 0;
    table.set(slot, FIELD.generation, generation);
    table.set(slot, FIELD.fd, this.descriptors.own(client));
    table.set(slot, FIELD.listener, listener);
    table.storeSockaddr(slot, SOCKADDR_FIELD.client, this.#sockets.sockaddr);
    const conversation = this.#backend.serve(slot, generation, client);
    this.#conversations.set(slot, conversation);
    if (this.#standing.follow(slot)) {
      this.tell(conversation, TO_MAIN.accepted);
      this.#dial(conversation);
    } else this.#ask(conversation, TO_MAIN.accepted);
  }

  /** At a limit all listeners rest until something is closed: level-triggered they would spin. */
  #pause(): void {
    this.#paused = true;
    for (const slot of this.#listeners)
      this.#backend.unwatchListener(slot, this.#table.get(slot, FIELD.fd));
  }

  #resume(): void {
    this.#paused = false;
    for (const slot of this.#listeners) this.#watchListener(slot);
  }

  #dial(conversation: Conversation): void {
    if (conversation.state !== 'waiting') return;
    const wanted = this.#table.get(conversation.slot, FIELD.bound) === 1;
    let result = this.#connect(conversation, wanted);
    if (wanted && (result === -abi.EADDRNOTAVAIL || result === -abi.EADDRINUSE)) {
      Atomics.add(this.#table.words, HEADER.sourcesLost, 1);
      result = this.#connect(conversation, false);
    }
    if (result < 0) this.dialFailed(conversation, -result);
  }

  #connect(conversation: Conversation, bound: boolean): number {
    const { slot } = conversation;
    const sockets = this.#sockets;
    this.#table.copySockaddr(slot, SOCKADDR_FIELD.target, sockets.sockaddr);
    const server = sockets.open();
    if (server < 0) return server;
    this.descriptors.own(server);
    let result = bound ? this.#bind(slot, server) : 0;
    if (result === 0) {
      this.#table.copySockaddr(slot, SOCKADDR_FIELD.target, sockets.sockaddr);
      result = sockets.connect(server);
    }
    if (result === 0) conversation.dialing(server);
    else this.descriptors.close(server);
    return result;
  }

  #bind(slot: number, server: number): number {
    // connect(2) picks the port then, and only the whole four-tuple must be free (ip(7)).
    this.#sockets.enable(server, abi.IPPROTO_IP, abi.IP_BIND_ADDRESS_NO_PORT);
    this.#table.copySockaddr(slot, SOCKADDR_FIELD.source, this.#sockets.sockaddr);
    return this.#sockets.bind(server);
  }

  #forget(conversation: Conversation): void {
    this.#conversations.delete(conversation.slot);
    this.#backend.forget(conversation.slot);
    this.#slots.giveUp(conversation.slot);
    if (this.#paused) this.#resume();
  }

  /** Memory is the main thread's to give back, when this thread is gone and the kernel cannot write to it any more. */
  #release(): void {
    for (const conversation of this.#conversations.values()) conversation.kill();
    for (let left = RELEASE_WAITS; this.#conversations.size > 0 && left > 0; left -= 1)
      this.#backend.wait(RELEASE_WAIT_MS);
    this.descriptors.resetAll();
  }
}
