import type { Descriptors } from './descriptors.ts';
import type { DirectionTools } from './direction.ts';

/**
 * One connection in the forwarding thread: an accepted socket, the socket to its server, and what passes between
 * them. Owns both from `serve` until `ended` or `release`.
 */
export interface Conversation {
  readonly slot: number;
  /** Counts the slot's uses, so that late news of the one before are told apart. */
  readonly generation: number;
  /** The accepted socket. */
  readonly client: number;
  readonly state: ConversationState;
  readonly bytesFromClient: number;
  readonly bytesFromServer: number;
  /** A connect is under way on this socket, owned from now on: it is established, or `dialFailed` follows. */
  dialing(server: number): void;
  /** Gives up the dial, which fails with ETIMEDOUT unless it has succeeded meanwhile. */
  abortDial(): void;
  /** Resets both sides; `ended` follows, perhaps later. Idempotent. */
  kill(): void;
  /** The accepted socket is somebody else's now. */
  release(): void;
}

/** `ending`: the sockets are reset, but the kernel has not let go of them yet. */
export type ConversationState = 'waiting' | 'dialing' | 'forwarding' | 'ending' | 'ended';

export interface ConversationHost {
  readonly tools: DirectionTools;
  readonly descriptors: Descriptors;
  /** `message` is one of TO_MAIN. */
  tell(conversation: Conversation, message: number): void;
  /** The socket of the dial is closed; the conversation waits for another route. */
  dialFailed(conversation: Conversation, errno: number): void;
  /** Both sockets are closed. */
  ended(conversation: Conversation): void;
}

/** How the forwarding thread waits for the kernel and moves bytes: epoll or io_uring. */
export interface Backend {
  /**
   * Waits at most so long (-1: for ever, 0: not at all), handles what happened and returns how much that was; 0 at
   * the deadline or after a signal.
   */
  wait(timeoutMs: number): number;
  /** True: conversations wait for another turn, so `wait` must not. */
  readonly busy: boolean;
  watchListener(slot: number, fd: number): void;
  /** Lets it rest. */
  unwatchListener(slot: number, fd: number): void;
  /** Its port is free afterwards. */
  closeListener(slot: number, fd: number): void;
  /** A conversation whose client is this socket, which it owns. */
  serve(slot: number, generation: number, client: number): Conversation;
  /** The conversation of this slot has ended or was released. */
  forget(slot: number): void;
}

/** What a backend calls back on. */
export interface BackendHost extends ConversationHost {
  readonly wakeFd: number;
  /** Slots from here on are listeners. */
  readonly firstListenerSlot: number;
  /** Clients wait on the listener of this slot. False: it rests from now on. */
  acceptSome(slot: number): boolean;
  /** The bytes of this conversation have changed. */
  counted(conversation: Conversation): void;
}

/** The ends of a connection. */
export const CLIENT = 0;
export const SERVER = 1;
export type End = typeof CLIENT | typeof SERVER;
