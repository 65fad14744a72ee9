import { EPOLLIN } from '../../../base/linux/abi.ts';
import { BufferPool } from './buffer-pool.ts';
import type { Backend, BackendHost, Conversation } from './conversation.ts';
import { type Completion, Ring } from './ring.ts';
import * as abi from './ring-abi.ts';
import { KEYS_A_SLOT, RingConversation, type RingTurns } from './ring-conversation.ts';
import { type RingTools, SMALL_BYTES } from './ring-direction.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';
import type { TcpSockets } from './tcp-sockets.ts';

const WAKE_KEY = -1;
const IGNORED_KEY = -2;
/** Generations stay below it, so that with a key below 2^32 they fit a number. */
const MOST_POLLS = 1 << 20;

/**
 * io_uring, with one io_uring_enter a turn. Listeners are polled and accept4 is called for each client: accepting over
 * the ring would need getpeername(2) for each, so it saves no call, and would take clients that there is no slot for.
 */
export class RingBackend implements Backend, RingTurns {
  readonly tools: RingTools;
  readonly sockets: TcpSockets;
  readonly #host: BackendHost;
  readonly #ring: Ring;
  readonly #conversations = new Map<number, RingConversation>();
  /** The poll under way on each listener, by slot: its generation tells it from earlier ones. */
  readonly #listenerPolls = new Map<number, { readonly fd: number; readonly generation: number }>();
  #polls = 0;
  #again = new Set<RingConversation>();

  constructor(linux: Linux, sockets: TcpSockets, host: BackendHost) {
    this.#host = host;
    this.sockets = sockets;
    this.#ring = new Ring(linux, host.descriptors);
    const smallBuffers = new BufferPool(linux, SMALL_BYTES);
    this.tools = { ...host.tools, ring: this.#ring, smallBuffers };
    this.#pollWake();
  }

  get busy(): boolean {
    return this.#again.size > 0;
  }

  wait(timeoutMs: number): number {
    this.#ring.submitAndWait(timeoutMs);
    const count = this.#ring.drain(this.#completed);
    if (this.#again.size > 0) this.#takeTurns();
    return count;
  }

  watchListener(slot: number, fd: number): void {
    this.#polls = (this.#polls + 1) % MOST_POLLS;
    this.#listenerPolls.set(slot, { fd, generation: this.#polls });
    this.#poll(fd, 0, slot * KEYS_A_SLOT, this.#polls);
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
    const conversation = new RingConversation(this.#host, this, slot, generation, client);
    this.#conversations.set(slot, conversation);
    return conversation;
  }

  forget(slot: number): void {
    const conversation = this.#conversations.get(slot);
    if (conversation !== undefined) this.#again.delete(conversation);
    this.#conversations.delete(slot);
  }

  again(conversation: RingConversation): void {
    this.#again.add(conversation);
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
    const conversation = this.#conversations.get(slot);
    if (conversation?.generation !== generation) return;
    conversation.completed(key % KEYS_A_SLOT, result, flags);
    if (conversation.state === 'forwarding') this.#host.counted(conversation);
  };

  #listenerReady(slot: number, generation: number): void {
    const poll = this.#listenerPolls.get(slot);
    if (poll?.generation !== generation) return;
    this.#listenerPolls.delete(slot);
    if (this.#host.acceptSome(slot)) this.watchListener(slot, poll.fd);
  }

  /** Once for all: each write to the eventfd completes it again. */
  #pollWake(): void {
    this.#poll(this.#host.wakeFd, abi.IORING_POLL_ADD_MULTI, WAKE_KEY, 0);
  }

  #poll(fd: number, multi: number, key: number, generation: number): void {
    this.#ring.push(abi.IORING_OP_POLL_ADD, 0, 0, fd, 0, multi, EPOLLIN, key, generation);
  }

  #takeTurns(): void {
    const turn = this.#again;
    this.#again = new Set();
    for (const conversation of turn) conversation.moveOn();
  }
}
