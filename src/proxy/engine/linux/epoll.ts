import {
  EINTR,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_EVENT,
} from '../../../base/linux/abi.ts';
import type { Descriptors } from './descriptors.ts';
import {
  type Linux,
  type Mapping,
  systemError,
  type SystemCalls,
} from '../../../base/linux/system-calls.ts';

const EVENTS_A_TURN = 512;

/**
 * An epoll instance. Each watched descriptor has a key and a generation, 32 bits each, which come back with its
 * events. Owns the memory that the kernel writes events to.
 */
export class Epoll {
  readonly #calls: SystemCalls;
  readonly #fd: number;
  readonly #events: Mapping;
  readonly #words: Int32Array;
  readonly #argument: Mapping;
  readonly #argumentWords: Int32Array;

  constructor(linux: Linux, descriptors: Descriptors) {
    this.#calls = linux.calls;
    const fd = linux.calls.epoll_create1(EPOLL_CLOEXEC);
    if (fd === -1) throw systemError(linux.calls, 'epoll_create1');
    this.#fd = descriptors.own(fd);
    this.#events = linux.map(EVENTS_A_TURN * EPOLL_EVENT.words * 4);
    this.#words = new Int32Array(this.#events.buffer);
    this.#argument = linux.map(EPOLL_EVENT.words * 4);
    this.#argumentWords = new Int32Array(this.#argument.buffer);
  }

  watch(fd: number, events: number, key: number, generation = 0): void {
    this.#argumentWords[0] = events;
    this.#argumentWords[EPOLL_EVENT.data] = key;
    this.#argumentWords[EPOLL_EVENT.data + 1] = generation;
    if (this.#calls.epoll_ctl(this.#fd, EPOLL_CTL_ADD, fd, this.#argument.address) === -1)
      throw systemError(this.#calls, 'epoll_ctl');
  }

  /** Closing a descriptor has the same effect. */
  unwatch(fd: number): void {
    this.#calls.epoll_ctl(this.#fd, EPOLL_CTL_DEL, fd, this.#argument.address);
  }

  /** How many events there are; 0 at the deadline or after a signal. They are valid until the next wait. */
  wait(timeoutMs: number): number {
    const { address } = this.#events;
    const count = this.#calls.epoll_wait(this.#fd, address, EVENTS_A_TURN, timeoutMs);
    if (count !== -1) return count;
    if (this.#calls.errno() === EINTR) return 0;
    throw systemError(this.#calls, 'epoll_wait');
  }

  events(index: number): number {
    return this.#words[index * EPOLL_EVENT.words] ?? 0;
  }

  key(index: number): number {
    return this.#words[index * EPOLL_EVENT.words + EPOLL_EVENT.data] ?? 0;
  }

  generation(index: number): number {
    return this.#words[index * EPOLL_EVENT.words + EPOLL_EVENT.data + 1] ?? 0;
  }
}
