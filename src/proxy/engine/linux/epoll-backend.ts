import * as abi from '../../../base/linux/abi.ts';
import {
  type Backend,
  type BackendHost,
  CLIENT,
  type Conversation,
  type End,
} from './conversation.ts';
import { Epoll } from './epoll.ts';
import { EpollConversation, type EpollTurns } from './epoll-conversation.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';
import type { TcpSockets } from './tcp-sockets.ts';

/** Keys of sockets are twice their slot, plus the end. */
const WAKE_KEY = -1;
const WATCHED = abi.EPOLLIN | abi.EPOLLPRI | abi.EPOLLOUT | abi.EPOLLRDHUP | abi.EPOLLET;

/**
 * epoll + recv, send and splice(2). Sockets are watched edge-triggered, from their connect or their dial's success
 * until they are closed, with one epoll_ctl each; listeners are level-triggered.
 */
export class EpollBackend implements Backend, EpollTurns {
  readonly #host: BackendHost;
  readonly #epoll: Epoll;
  readonly #sockets: TcpSockets;
  readonly #conversations = new Map<number, EpollConversation>();
  #again = new Set<EpollConversation>();

  constructor(linux: Linux, sockets: TcpSockets, host: BackendHost) {
    this.#host = host;
    this.#sockets = sockets;
    this.#epoll = new Epoll(linux, host.descriptors);
    // Edge-triggered: it need not be read.
    this.#epoll.watch(host.wakeFd, abi.EPOLLIN | abi.EPOLLET, WAKE_KEY);
  }

  get busy(): boolean {
    return this.#again.size > 0;
  }

  wait(timeoutMs: number): number {
    const count = this.#epoll.wait(timeoutMs);
    for (let index = 0; index < count; index += 1) this.#dispatch(index);
    if (this.#again.size > 0) this.#takeTurns();
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
    const conversation = new EpollConversation(this.#host, this, slot, generation, client);
    this.#conversations.set(slot, conversation);
    return conversation;
  }

  forget(slot: number): void {
    const conversation = this.#conversations.get(slot);
    if (conversation !== undefined) this.#again.delete(conversation);
    this.#conversations.delete(slot);
  }

  again(conversation: EpollConversation): void {
    this.#again.add(conversation);
  }

  watch(conversation: EpollConversation, end: End): void {
    const fd = end === CLIENT ? conversation.client : conversation.server;
    this.#epoll.watch(fd, WATCHED, conversation.slot * 2 + end, conversation.generation);
  }

  #dispatch(index: number): void {
    const key = this.#epoll.key(index);
    if (key === WAKE_KEY) return;
    const slot = key >> 1;
    if (slot >= this.#host.firstListenerSlot) {
      this.#host.acceptSome(slot);
      return;
    }
    const conversation = this.#conversations.get(slot);
    // Closed earlier in this turn, and its slot perhaps used again.
    if (conversation?.generation !== this.#epoll.generation(index)) return;
    const events = this.#epoll.events(index);
    if (conversation.state === 'dialing') this.#dialProgressed(conversation, events);
    if (conversation.state !== 'forwarding') return;
    conversation.ready((key & 1) as End, events);
    this.#host.counted(conversation);
  }

  #dialProgressed(conversation: EpollConversation, events: number): void {
    if ((events & (abi.EPOLLERR | abi.EPOLLHUP)) !== 0) {
      const result = this.#sockets.error(conversation.server);
      if (result < 0) {
        conversation.dialEnded(-result);
        return;
      }
    }
    conversation.established();
  }

  #takeTurns(): void {
    const turn = this.#again;
    this.#again = new Set();
    for (const conversation of turn) conversation.moveOn();
  }
}
