import * as abi from '../../../base/linux/abi.ts';
import {
  type Linux,
  type Mapping,
  type SystemCalls,
  uninterrupted,
} from '../../../base/linux/system-calls.ts';
import { LoopbackCongestion } from './loopback-congestion.ts';

/** Offsets into the argument memory. */
const ARGUMENT = { sockaddr: 0, length: 32, value: 36, bytes: 48 } as const;

/** The first byte of 127.0.0.0/8, and ::1's last word, as a little-endian machine reads them. */
const LOOPBACK_NET = 127;
const LAST_ONE = 0x0100_0000;

/**
 * The socket calls with their arguments in memory, which the kernel looks at during a call and never later. Each returns a descriptor or 0, or the negated errno.
 */
export class TcpSockets {
  /** The struct sockaddr of the next or the last call. */
  readonly sockaddr: Int32Array;
  readonly #calls: SystemCalls;
  readonly #memory: Mapping;
  readonly #words: Int32Array;
  readonly #congestion: LoopbackCongestion;

  constructor(linux: Linux, congestion: LoopbackCongestion = new LoopbackCongestion(linux)) {
    this.#calls = linux.calls;
    this.#memory = linux.map(ARGUMENT.bytes);
    this.#words = new Int32Array(this.#memory.buffer);
    this.sockaddr = this.#words.subarray(0, ARGUMENT.length / 4);
    this.#congestion = congestion;
  }

  /**
   * A non-blocking socket that sends without delay, for the address in `sockaddr`, its own or its peer's. What it accepts is
   * like it.
   */
  open(): number {
    const type = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
    const fd = this.#calls.socket(this.#family, type, 0);
    if (fd === -1) return -this.#calls.errno();
    this.enable(fd, abi.IPPROTO_TCP, abi.TCP_NODELAY);
    if (this.#isLoopback) this.#congestion.apply(fd);
    return fd;
  }

  /** The client's address is in `sockaddr` afterwards. */
  accept(listener: number): number {
    this.#set(ARGUMENT.length, abi.SOCKADDR.v6Bytes);
    const flags = abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
    const fd = this.#calls.accept4(listener, this.#sockaddr, this.#at(ARGUMENT.length), flags);
    return fd === -1 ? -this.#calls.errno() : fd;
  }

  bind(fd: number): number {
    return this.#result(this.#calls.bind(fd, this.#sockaddr, this.#sockaddrBytes));
  }

  listen(fd: number, backlog: number): number {
    return this.#result(this.#calls.listen(fd, backlog));
  }

  /** Fills in `sockaddr`. */
  localAddress(fd: number): number {
    this.#set(ARGUMENT.length, abi.SOCKADDR.v6Bytes);
    return this.#result(this.#calls.getsockname(fd, this.#sockaddr, this.#at(ARGUMENT.length)));
  }

  /** 0: on its way. An interrupted connect goes on by itself, see connect(2). */
  connect(fd: number): number {
    const result = this.#result(this.#calls.connect(fd, this.#sockaddr, this.#sockaddrBytes));
    return result === -abi.EINPROGRESS || result === -abi.EINTR ? 0 : result;
  }

  /** What came of a connect on a socket of which poll(2) has told these events: 0, or why it failed. */
  connectError(fd: number, events: number): number {
    return (events & (abi.EPOLLERR | abi.EPOLLHUP)) === 0 ? 0 : this.#pendingError(fd);
  }

  enable(fd: number, level: number, option: number): void {
    this.#set(ARGUMENT.value, 1);
    this.#calls.setsockopt(fd, level, option, this.#at(ARGUMENT.value), 4);
  }

  /** Adds one to an eventfd. */
  signal(eventFd: number): void {
    this.#set(ARGUMENT.value, 1);
    this.#set(ARGUMENT.value + 4, 0);
    uninterrupted(this.#calls, () => this.#calls.write(eventFd, this.#at(ARGUMENT.value), 8));
  }

  /** Sets an eventfd back to nothing. */
  clear(eventFd: number): void {
    uninterrupted(this.#calls, () => this.#calls.read(eventFd, this.#at(ARGUMENT.value), 8));
  }

  get #family(): number {
    return (this.sockaddr[0] ?? 0) & 0xffff;
  }

  /** 127.0.0.0/8 or ::1. */
  get #isLoopback(): boolean {
    const words = this.sockaddr;
    if (this.#family === abi.AF_INET)
      return ((words[abi.SOCKADDR.v4Address / 4] ?? 0) & 0xff) === LOOPBACK_NET;
    const first = abi.SOCKADDR.v6Address / 4;
    const [a, b, c, d] = [words[first], words[first + 1], words[first + 2], words[first + 3]];
    return a === 0 && b === 0 && c === 0 && d === LAST_ONE;
  }

  get #sockaddrBytes(): number {
    return this.#family === abi.AF_INET ? abi.SOCKADDR.v4Bytes : abi.SOCKADDR.v6Bytes;
  }

  get #sockaddr(): number {
    return this.#at(ARGUMENT.sockaddr);
  }

  /** The errno that waits on the socket, which is cleared; 0: none. */
  #pendingError(fd: number): number {
    this.#set(ARGUMENT.length, 4);
    const value = this.#at(ARGUMENT.value);
    const length = this.#at(ARGUMENT.length);
    const result = this.#calls.getsockopt(fd, abi.SOL_SOCKET, abi.SO_ERROR, value, length);
    return result === -1 ? this.#calls.errno() : (this.#words[ARGUMENT.value / 4] ?? 0);
  }

  #at(offset: number): number {
    return this.#memory.address + offset;
  }

  #set(offset: number, value: number): void {
    this.#words[offset / 4] = value;
  }

  #result(result: number): number {
    return result === -1 ? -this.#calls.errno() : result;
  }
}
