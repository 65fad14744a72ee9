import * as abi from './abi.ts';
import { BUFFER_BYTES, BufferPool } from './buffer-pool.ts';
import { CLIENT, Conversation, type ConversationHost, type End, SERVER } from './conversation.ts';
import { Descriptors } from './descriptors.ts';
import type { DirectionTools } from './direction.ts';
import { Epoll } from './epoll.ts';
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
import { SlotPool } from './slot-pool.ts';
import type { Linux, Mapping } from './system-calls.ts';
import { TcpSockets } from './tcp-sockets.ts';

/** What the main thread gives the forwarding thread. */
export interface ForwarderInput {
  readonly table: SharedArrayBuffer;
  readonly descriptors: SharedArrayBuffer;
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
const LAZY_TURNS = 8;
const LAZY_WAIT_MS = 1;
const WAKE_KEY = -1;
const WATCHED = abi.EPOLLIN | abi.EPOLLPRI | abi.EPOLLOUT | abi.EPOLLRDHUP | abi.EPOLLET;

/**
 * The forwarding thread: accepts, asks the main thread where each connection goes, and moves bytes. Waits in
 * epoll_wait and nowhere else. Sockets are watched edge-triggered, from their connect or their accept's answer
 * until they are closed, with one epoll_ctl each; listeners are level-triggered.
 */
export class EpollForwarder implements ConversationHost {
  readonly tools: DirectionTools;
  readonly descriptors: Descriptors;

  readonly #input: ForwarderInput;
  readonly #table: SlotTable;
  readonly #inbox: Mailbox;
  readonly #outbox: Mailbox;
  readonly #epoll: Epoll;
  readonly #sockets: TcpSockets;
  readonly #scratch: Mapping;
  readonly #slots: SlotPool;

  readonly #conversations = new Map<number, Conversation>();
  readonly #listeners = new Set<number>();
  #again = new Set<Conversation>();
  #paused = false;
  #news: 'none' | 'lazy' | 'urgent' = 'none';
  #lazyTurns = 0;

  constructor(linux: Linux, input: ForwarderInput) {
    this.#input = input;
    this.#table = new SlotTable(input.table, input.slots);
    this.#inbox = new Mailbox(this.#table, SIDE.worker);
    this.#outbox = new Mailbox(this.#table, SIDE.main);
    this.#slots = new SlotPool(
      input.firstListenerSlot,
      (slot) => this.#outbox.pending(slot) || this.#inbox.pending(slot),
    );
    this.descriptors = new Descriptors(linux, input.descriptors);
    this.#epoll = new Epoll(linux, this.descriptors);
    this.#sockets = new TcpSockets(linux);
    this.#scratch = linux.map(BUFFER_BYTES);
    this.tools = {
      calls: linux.calls,
      pipes: new PipePool(linux, this.descriptors),
      buffers: new BufferPool(linux),
      scratch: this.#scratch.address,
    };
    // Edge-triggered: it need not be read.
    this.#epoll.watch(input.wakeFd, abi.EPOLLIN | abi.EPOLLET, WAKE_KEY);
  }

  /** Returns when the main thread says so, with everything closed and released. */
  run(): void {
    const { words } = this.#table;
    while (Atomics.load(words, HEADER.stop) === 0) {
      // First the flag, then the look at what has come: a message after the look rings the bell.
      Atomics.store(words, HEADER.workerSleeps, 1);
      const count = this.#epoll.wait(this.#timeoutMs());
      Atomics.store(words, HEADER.workerSleeps, 0);
      for (let index = 0; index < count; index += 1) this.#dispatch(index);
      if (this.#again.size > 0) this.#takeTurns();
      this.#inbox.drain(this.#receive);
      if (count === 0 && this.#paused) this.#resume();
      if (this.#news !== 'none') this.#report(count === 0);
    }
    this.#release();
  }

  tell(conversation: Conversation, message: number): void {
    const { slot } = conversation;
    this.#table.setCount(slot, COUNTER.fromClient, conversation.bytesFromClient);
    this.#table.setCount(slot, COUNTER.fromServer, conversation.bytesFromServer);
    this.#outbox.post(slot, message);
    if (message === TO_MAIN.accepted || message === TO_MAIN.dialFailed) this.#news = 'urgent';
    else if (this.#news === 'none') this.#news = 'lazy';
  }

  again(conversation: Conversation): void {
    this.#again.add(conversation);
  }

  ended(conversation: Conversation): void {
    this.tell(conversation, TO_MAIN.closed);
    this.#forget(conversation);
  }

  #timeoutMs(): number {
    const stopping = Atomics.load(this.#table.words, HEADER.stop) !== 0;
    if (stopping || this.#again.size > 0 || !this.#inbox.empty) return 0;
    if (this.#news !== 'none') return LAZY_WAIT_MS;
    return this.#paused ? ACCEPT_PAUSE_MS : -1;
  }

  #dispatch(index: number): void {
    const key = this.#epoll.key(index);
    if (key === WAKE_KEY) return;
    const slot = key >> 1;
    if (slot >= this.#input.firstListenerSlot) {
      this.#acceptSome(slot);
      return;
    }
    const conversation = this.#conversations.get(slot);
    // Closed earlier in this turn, and its slot perhaps used again.
    if (conversation?.generation !== this.#epoll.generation(index)) return;
    const events = this.#epoll.events(index);
    if (conversation.state === 'dialing') this.#dialProgressed(conversation, events);
    if (conversation.state !== 'forwarding') return;
    conversation.ready((key & 1) as End, events);
    this.#table.setCount(slot, COUNTER.fromClient, conversation.bytesFromClient);
    this.#table.setCount(slot, COUNTER.fromServer, conversation.bytesFromServer);
  }

  #takeTurns(): void {
    const turn = this.#again;
    this.#again = new Set();
    for (const conversation of turn) conversation.moveOn();
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
        this.#dial(conversation);
        break;
      case TO_WORKER.abortDial:
        if (conversation.state === 'dialing') this.#dialFailed(conversation, abi.ETIMEDOUT);
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
    this.#epoll.watch(this.#table.get(slot, FIELD.fd), abi.EPOLLIN, slot * 2);
  }

  #unlisten(slot: number): void {
    this.#listeners.delete(slot);
    this.descriptors.close(this.#table.get(slot, FIELD.fd));
    this.#outbox.post(slot, TO_MAIN.unlistened);
    this.#news = 'urgent';
  }

  #acceptSome(listener: number): void {
    const fd = this.#table.get(listener, FIELD.fd);
    for (let left = ACCEPTS_A_TURN; left > 0 && !this.#paused; left -= 1) {
      const slot = this.#slots.take();
      if (slot === undefined) {
        this.#pause();
        return;
      }
      const client = this.#sockets.accept(fd);
      if (client >= 0) this.#accepted(listener, slot, client);
      else {
        this.#slots.putBack(slot);
        if (client === -abi.EAGAIN) return;
        if (client !== -abi.EINTR) this.#acceptFailed(-client);
      }
    }
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
    const conversation = new Conversation(this, slot, generation, client);
    this.#conversations.set(slot, conversation);
    this.tell(conversation, TO_MAIN.accepted);
  }

  /** At a limit all listeners rest until something is closed: level-triggered they would spin. */
  #pause(): void {
    this.#paused = true;
    for (const slot of this.#listeners) this.#epoll.unwatch(this.#table.get(slot, FIELD.fd));
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
    if (result < 0) this.#dialFailed(conversation, -result);
  }

  #connect(conversation: Conversation, bound: boolean): number {
    const { slot, generation } = conversation;
    const sockets = this.#sockets;
    this.#table.copySockaddr(slot, SOCKADDR_FIELD.target, sockets.sockaddr);
    const server = sockets.open();
    if (server < 0) return server;
    conversation.dialing(this.descriptors.own(server));
    let result = bound ? this.#bind(slot, server) : 0;
    if (result === 0) {
      this.#table.copySockaddr(slot, SOCKADDR_FIELD.target, sockets.sockaddr);
      result = sockets.connect(server);
    }
    if (result === 0) this.#epoll.watch(server, WATCHED, slot * 2 + SERVER, generation);
    else conversation.dialEnded();
    return result;
  }

  #bind(slot: number, server: number): number {
    // connect(2) picks the port then, and only the whole four-tuple must be free (ip(7)).
    this.#sockets.enable(server, abi.IPPROTO_IP, abi.IP_BIND_ADDRESS_NO_PORT);
    this.#table.copySockaddr(slot, SOCKADDR_FIELD.source, this.#sockets.sockaddr);
    return this.#sockets.bind(server);
  }

  #dialProgressed(conversation: Conversation, events: number): void {
    const { client, server, slot, generation } = conversation;
    if ((events & (abi.EPOLLERR | abi.EPOLLHUP)) !== 0) {
      const result = this.#sockets.error(server);
      if (result < 0) {
        this.#dialFailed(conversation, -result);
        return;
      }
    }
    conversation.established();
    this.#epoll.watch(client, WATCHED, slot * 2 + CLIENT, generation);
  }

  #dialFailed(conversation: Conversation, errno: number): void {
    conversation.dialEnded();
    this.#table.set(conversation.slot, FIELD.errno, errno);
    this.tell(conversation, TO_MAIN.dialFailed);
    if (this.#paused) this.#resume();
  }

  #forget(conversation: Conversation): void {
    this.#conversations.delete(conversation.slot);
    this.#again.delete(conversation);
    this.#slots.giveUp(conversation.slot);
    if (this.#paused) this.#resume();
  }

  /** Memory last: until the descriptors are closed the kernel may know of it. */
  #release(): void {
    for (const conversation of this.#conversations.values()) conversation.kill();
    this.tools.pipes.release();
    this.descriptors.resetAll();
    this.tools.buffers.release();
    this.#epoll.release();
    this.#sockets.release();
    this.#scratch.unmap();
    this.descriptors.release();
  }
}
