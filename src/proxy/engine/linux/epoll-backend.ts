import * as abi from '../../../base/linux/abi.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';
import type { Backend, BackendHost } from './backend.ts';
import { type Carrier, CLIENT, Conversation, type End, SERVER } from './conversation.ts';
import { Conversations } from './conversations.ts';
import { Direction } from './direction.ts';
import { Epoll } from './epoll.ts';
import type { TcpSockets } from './tcp-sockets.ts';

/** Keys of sockets are twice their slot, plus the end. */
const WAKE_KEY = -1;
const WATCHED = abi.EPOLLIN | abi.EPOLLPRI | abi.EPOLLOUT | abi.EPOLLRDHUP | abi.EPOLLET;
const ENDING = abi.EPOLLRDHUP | abi.EPOLLHUP | abi.EPOLLERR;

/**
 * epoll + recv, send and splice(2). Sockets are watched edge-triggered, from their connect or their dial's success
 * until they are closed, with one epoll_ctl each; listeners are level-triggered.
 */
export class EpollBackend implements Backend, Carrier<Direction> {
  readonly #host: BackendHost;
  readonly #epoll: Epoll;
  readonly #sockets: TcpSockets;
  readonly #conversations = new Conversations<Direction>();

  constructor(linux: Linux, sockets: TcpSockets, host: BackendHost) {
    this.#host = host;
    this.#sockets = sockets;
    this.#epoll = new Epoll(linux, host.descriptors);
    // Edge-triggered: it need not be read.
    this.#epoll.watch(host.wakeFd, abi.EPOLLIN | abi.EPOLLET, WAKE_KEY);
  }

  get busy(): boolean {
    return this.#conversations.busy;
  }

  wait(timeoutMs: number): number {
    const count = this.#epoll.wait(timeoutMs);
    for (let index = 0; index < count; index += 1) this.#dispatch(index);
    if (this.#conversations.busy) this.#conversations.takeTurns(this.#moveOn);
    return count;
  }

  watchListener(slot: number, fd: number): void {
    this.#epoll.watch(fd, abi.EPOLLIN, slot * 2);
  }

  unwatchListener(_slot: number, fd: number): void {
    this.#epoll.unwatch(fd);
  }

  closeListener(_slot: number, fd: number): void {
    this.#host.descriptors.close(fd);
  }

  serve(slot: number, generation: number, client: number): Conversation {
    const conversation = new Conversation(this.#host, this, slot, generation, client);
    this.#conversations.add(conversation);
    return conversation;
  }

  forget(slot: number): void {
    this.#conversations.forget(slot);
  }

  awaitDial(conversation: Conversation<Direction>): void {
    this.#watch(conversation, SERVER, conversation.server);
  }

  again(conversation: Conversation<Direction>): void {
    this.#conversations.again(conversation);
  }

  #watch({ slot, generation }: Conversation<Direction>, end: End, fd: number): void {
    this.#epoll.watch(fd, WATCHED, slot * 2 + end, generation);
  }

  #dispatch(index: number): void {
    const key = this.#epoll.key(index);
    if (key === WAKE_KEY) return;
    const slot = key >> 1;
    if (slot >= this.#host.firstListenerSlot) {
      this.#host.acceptSome(slot);
      return;
    }
    const conversation = this.#conversations.get(slot, this.#epoll.generation(index));
    if (conversation === undefined) return;
    const events = this.#epoll.events(index);
    if (conversation.state === 'dialing') this.#dialProgressed(conversation, events);
    if (conversation.state !== 'forwarding') return;
    this.#ready(conversation, (key & 1) as End, events);
    this.#host.counted(conversation);
  }

  #dialProgressed(conversation: Conversation<Direction>, events: number): void {
    const { client, server } = conversation;
    const errno = this.#sockets.connectError(server, events);
    if (errno !== 0) {
      conversation.dialFailed(errno);
      return;
    }
    const { tools } = this.#host;
    conversation.established(
      new Direction(tools, client, server),
      new Direction(tools, server, client),
    );
    this.#watch(conversation, CLIENT, client);
  }

  /** What epoll said of one end: it is the source of one way and the sink of the other. */
  #ready(conversation: Conversation<Direction>, end: End, events: number): void {
    const { up, down } = conversation;
    const source = end === CLIENT ? up : down;
    const sink = end === CLIENT ? down : up;
    if ((events & abi.EPOLLOUT) !== 0 && sink?.blocked === true) {
      sink.sinkReady();
      this.#advance(conversation, sink);
    }
    if ((events & (abi.EPOLLIN | ENDING)) !== 0 && source !== undefined) {
      source.sourceReady(events);
      this.#advance(conversation, source);
    }
    // What had arrived before the reset has been passed on, unless the other side takes nothing.
    if ((events & abi.EPOLLERR) !== 0) conversation.broken(end);
  }

  readonly #moveOn = (conversation: Conversation<Direction>): void => {
    const { up, down } = conversation;
    if (up !== undefined) this.#advance(conversation, up);
    if (down !== undefined) this.#advance(conversation, down);
  };

  #advance(conversation: Conversation<Direction>, direction: Direction): void {
    if (conversation.state !== 'forwarding') return;
    const hadEnded = direction.ended;
    const outcome = direction.move(conversation.isLast(direction));
    conversation.settle(direction, outcome, hadEnded);
  }
}
