import { EPOLLIN, EPOLLOUT, ETIMEDOUT } from '../../../base/linux/abi.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';
import type { Backend, BackendHost } from './backend.ts';
import { BufferPool } from './buffer-pool.ts';
import { type Carrier, CLIENT, Conversation, SERVER } from './conversation.ts';
import { Conversations } from './conversations.ts';
import { RestRounds } from './rest-rounds.ts';
import { type Completion, Ring } from './ring.ts';
import * as abi from './ring-abi.ts';
import {
  IGNORED_KEY,
  REQUEST,
  RingDirection,
  type RingTools,
  SMALL_BYTES,
} from './ring-direction.ts';
import type { TcpSockets } from './tcp-sockets.ts';

/** Keys of a conversation's requests: its slot times this, plus a REQUEST twice, plus the end whose way it is. */
const KEYS_A_SLOT = 8;
const WAKE_KEY = -1;
/** Generations stay below it, so that with a key below 2^32 they fit a number. */
const MOST_POLLS = 1 << 20;

/**
 * io_uring, with one io_uring_enter a turn. Listeners are polled and accept4 is called for each client: accepting over
 * the ring would need getpeername(2) for each, so it saves no call, and would take clients that there is no slot for.
 */
export class RingBackend implements Backend, Carrier<RingDirection> {
  readonly #host: BackendHost;
  readonly #sockets: TcpSockets;
  readonly #ring: Ring;
  readonly #tools: RingTools;
  readonly #conversations = new Conversations<RingDirection>();
  readonly #rests: RestRounds;
  /** The poll under way on each listener, by slot: its generation tells it from earlier ones. */
  readonly #listenerPolls = new Map<number, { readonly fd: number; readonly generation: number }>();
  #polls = 0;

  constructor(linux: Linux, sockets: TcpSockets, host: BackendHost) {
    this.#host = host;
    this.#sockets = sockets;
    this.#ring = new Ring(linux, host.descriptors);
    const smallBuffers = new BufferPool(linux, SMALL_BYTES);
    this.#tools = { ...host.tools, ring: this.#ring, smallBuffers };
    this.#rests = new RestRounds(host.clock, this.#conversations);
    this.#pollWake();
  }

  get busy(): boolean {
    return this.#conversations.busy;
  }

  wait(timeoutMs: number): number {
    this.#ring.submitAndWait(this.#rests.timeoutMs(timeoutMs));
    const count = this.#ring.drain(this.#completed);
    if (this.#conversations.busy) this.#conversations.takeTurns(this.#moveOn);
    this.#rests.turn(count);
    return count;
  }

  watchListener(slot: number, fd: number): void {
    this.#polls = (this.#polls + 1) % MOST_POLLS;
    this.#listenerPolls.set(slot, { fd, generation: this.#polls });
    this.#poll(fd, EPOLLIN, 0, slot * KEYS_A_SLOT, this.#polls);
  }

  unwatchListener(slot: number): void {
    const poll = this.#listenerPolls.get(slot);
    if (poll === undefined) return;
    this.#listenerPolls.delete(slot);
    // POLL_REMOVE names a request by its user data, in the place of an address.
    const userData = poll.generation * 2 ** 32 + slot * KEYS_A_SLOT;
    const flags = abi.IOSQE_CQE_SKIP_SUCCESS;
    this.#ring.push(abi.IORING_OP_POLL_REMOVE, flags, 0, -1, userData, 0, 0, IGNORED_KEY, 0);
  }

  closeListener(slot: number, fd: number): void {
    this.unwatchListener(slot);
    // As long as the poll is there the socket is, and with it the port.
    this.#ring.submitAndWait(0);
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

  awaitDial(conversation: Conversation<RingDirection>): void {
    const { slot, server, generation } = conversation;
    conversation.dialInFlight = true;
    const key = slot * KEYS_A_SLOT + 2 * REQUEST.connect;
    this.#poll(server, EPOLLOUT, 0, key, generation);
  }

  again(conversation: Conversation<RingDirection>): void {
    this.#conversations.again(conversation);
  }

  readonly #completed = ({ key, generation, result, flags }: Completion): void => {
    if (key === WAKE_KEY) {
      if ((flags & abi.IORING_CQE_F_MORE) === 0) this.#pollWake();
      return;
    }
    if (key === IGNORED_KEY) return;
    const slot = Math.floor(key / KEYS_A_SLOT);
    if (slot >= this.#host.firstListenerSlot) {
      this.#listenerReady(slot, generation);
      return;
    }
    const conversation = this.#conversations.get(slot, generation);
    if (conversation === undefined) return;
    this.#requestCompleted(conversation, key % KEYS_A_SLOT, result, flags);
    if (conversation.state === 'ending') conversation.closeWhenIdle();
    else if (conversation.state === 'forwarding') this.#host.counted(conversation);
  };

  #requestCompleted(
    conversation: Conversation<RingDirection>,
    code: number,
    result: number,
    flags: number,
  ): void {
    const request = code >> 1;
    if (request === REQUEST.connect) {
      this.#dialCompleted(conversation, result);
      return;
    }
    const way = (code & 1) === CLIENT ? conversation.up : conversation.down;
    if (way === undefined) return;
    if (conversation.state !== 'forwarding') {
      way.inFlight = false;
      return;
    }
    const hadEnded = way.ended;
    const outcome = way.completed(request, result, flags, conversation.isLast(way));
    conversation.settle(way, outcome, hadEnded);
  }

  /** `result`: events as poll(2) has them, or a negated errno. */
  #dialCompleted(conversation: Conversation<RingDirection>, result: number): void {
    const { slot, generation, client, server, state } = conversation;
    conversation.dialInFlight = false;
    if (state === 'abandoning') conversation.dialFailed(ETIMEDOUT);
    if (state !== 'dialing') return;
    const errno = result < 0 ? -result : this.#sockets.connectError(server, result);
    if (errno !== 0) {
      conversation.dialFailed(errno);
      return;
    }
    const tools = this.#tools;
    const key = slot * KEYS_A_SLOT;
    const up = new RingDirection(tools, client, server, key + CLIENT, generation);
    const down = new RingDirection(tools, server, client, key + SERVER, generation);
    // Most clients speak first, and have by now.
    up.start(true);
    down.start(false);
    conversation.established(up, down);
  }

  readonly #moveOn = (conversation: Conversation<RingDirection>): void => {
    const { up, down } = conversation;
    if (up !== undefined) this.#moveBulk(conversation, up);
    if (down !== undefined) this.#moveBulk(conversation, down);
  };

  #moveBulk(conversation: Conversation<RingDirection>, way: RingDirection): void {
    if (conversation.state !== 'forwarding') return;
    const hadEnded = way.ended;
    conversation.settle(way, way.moveBulk(conversation.isLast(way)), hadEnded);
  }

  #listenerReady(slot: number, generation: number): void {
    const poll = this.#listenerPolls.get(slot);
    if (poll?.generation !== generation) return;
    this.#listenerPolls.delete(slot);
    if (this.#host.acceptSome(slot)) this.watchListener(slot, poll.fd);
  }

  /** Once for all: each write to the eventfd completes it again. */
  #pollWake(): void {
    this.#poll(this.#host.wakeFd, EPOLLIN, abi.IORING_POLL_ADD_MULTI, WAKE_KEY, 0);
  }

  #poll(fd: number, events: number, multi: number, key: number, generation: number): void {
    this.#ring.push(abi.IORING_OP_POLL_ADD, 0, 0, fd, 0, multi, events, key, generation);
  }
}
