import type { Clock } from '../../../base/clock.ts';
import type { Conversation, ConversationHost } from './conversation.ts';
import type { DirectionTools } from './direction.ts';

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
  readonly clock: Clock;
  readonly tools: DirectionTools;
  readonly wakeFd: number;
  /** Slots from here on are listeners. */
  readonly firstListenerSlot: number;
  /** Clients wait on the listener of this slot. False: it rests from now on. */
  acceptSome(slot: number): boolean;
  /** The bytes of this conversation have changed. */
  counted(conversation: Conversation): void;
}
