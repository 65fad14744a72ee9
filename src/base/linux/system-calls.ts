import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import {
  EINTR,
  MAP_ANONYMOUS,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from './abi.ts';

/** Memory of this process by number: below 2^47, so a double holds it exactly. */
export type Address = number;

/**
 * The calls that forwarding and overlay make, straight into libc through koffi. Descriptors and results are plain
 * numbers; -1 means failure and `errno()` must be asked before anything else is called. Whoever passes an
 * {@link Address} keeps its memory alive during the call; none of these keeps it longer.
 */
export interface SystemCalls {
  errno(): number;
  accept4(fd: number, sockaddr: Address, length: Address, flags: number): number;
  bind(fd: number, sockaddr: Address, length: number): number;
  close(fd: number): number;
  connect(fd: number, sockaddr: Address, length: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Address): number;
  epoll_wait(epoll: number, events: Address, most: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  getpagesize(): number;
  getsockname(fd: number, sockaddr: Address, length: Address): number;
  getsockopt(fd: number, level: number, name: number, value: Address, length: Address): number;
  listen(fd: number, backlog: number): number;
  madvise(at: Address, bytes: number, advice: number): number;
  memcpy(to: Address, from: Address, bytes: number): number;
  mmap(
    at: Address,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  munmap(at: Address, bytes: number): number;
  pipe2(fds: Address, flags: number): number;
  read(fd: number, to: Address, bytes: number): number;
  recv(fd: number, to: Address, bytes: number, flags: number): number;
  /** How many messages were taken, of `count` struct mmsghdr. */
  recvmmsg(fd: number, headers: Address, count: number, flags: number, timeout: Address): number;
  send(fd: number, from: Address, bytes: number, flags: number): number;
  /** How many messages were sent, of `count` struct mmsghdr. */
  sendmmsg(fd: number, headers: Address, count: number, flags: number): number;
  setsockopt(fd: number, level: number, name: number, value: Address, bytes: number): number;
  shutdown(fd: number, how: number): number;
  socket(family: number, type: number, protocol: number): number;
  splice(
    from: number,
    fromOffset: Address,
    to: number,
    toOffset: Address,
    bytes: number,
    flags: number,
  ): number;
  /** For what libc has no function. */
  syscall(
    number: number,
    first: number,
    second: number,
    third: number,
    fourth: number,
    fifth: number,
    sixth: number,
  ): number;
  write(fd: number, from: Address, bytes: number): number;
}

/** Result and parameters of each call; `int64` stands for pointers, size_t and ssize_t. */
const SIGNATURES: Readonly<Record<Exclude<keyof SystemCalls, 'errno'>, readonly string[]>> = {
  accept4: ['int', 'int', 'int64', 'int64', 'int'],
  bind: ['int', 'int', 'int64', 'uint'],
  close: ['int', 'int'],
  connect: ['int', 'int', 'int64', 'uint'],
  epoll_create1: ['int', 'int'],
  epoll_ctl: ['int', 'int', 'int', 'int', 'int64'],
  epoll_wait: ['int', 'int', 'int64', 'int', 'int'],
  eventfd: ['int', 'uint', 'int'],
  fcntl: ['int', 'int', 'int', 'int64'],
  getpagesize: ['int'],
  getsockname: ['int', 'int', 'int64', 'int64'],
  getsockopt: ['int', 'int', 'int', 'int', 'int64', 'int64'],
  listen: ['int', 'int', 'int'],
  madvise: ['int', 'int64', 'int64', 'int'],
  memcpy: ['int64', 'int64', 'int64', 'int64'],
  mmap: ['int64', 'int64', 'int64', 'int', 'int', 'int', 'int64'],
  munmap: ['int', 'int64', 'int64'],
  pipe2: ['int', 'int64', 'int'],
  read: ['int64', 'int', 'int64', 'int64'],
  recv: ['int64', 'int', 'int64', 'int64', 'int'],
  recvmmsg: ['int', 'int', 'int64', 'uint', 'int', 'int64'],
  send: ['int64', 'int', 'int64', 'int64', 'int'],
  sendmmsg: ['int', 'int', 'int64', 'uint', 'int'],
  setsockopt: ['int', 'int', 'int', 'int', 'int64', 'uint'],
  shutdown: ['int', 'int', 'int'],
  socket: ['int', 'int', 'int', 'int'],
  splice: ['int64', 'int', 'int64', 'int', 'int64', 'int64', 'uint'],
  syscall: ['int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64'],
  write: ['int64', 'int', 'int64', 'int64'],
};

/** What is used of koffi. Loaded by name at run time: it is an optional dependency. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): unknown };
  errno(): number;
  address(memory: ArrayBufferLike): bigint;
  view(address: bigint, bytes: number): ArrayBuffer;
  readonly node: {
    poll(fd: number, events: WatchedEvents, callback: PollCallback): KoffiPoll;
  };
}

/** Negative where libuv stopped watching, because the descriptor has an error to be asked for. */
type PollCallback = (status: number) => void;

interface KoffiPoll {
  start(events: WatchedEvents, callback: PollCallback): void;
  close(): void;
}

export interface WatchedEvents {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** A descriptor that is watched. It must be closed before the descriptor is. */
export interface Watch {
  change(events: WatchedEvents): void;
  close(): void;
}

export interface Linux {
  readonly calls: SystemCalls;
  /** Zeroed pages of their own. The caller owns them until `unmap`. */
  map(bytes: number): Mapping;
  /** Memory that a descriptor offers to share, from an offset on. The caller owns the mapping until `unmap`. */
  mapShared(fd: number, offset: number, bytes: number): Mapping;
  /**
   * Calls back on the event loop as long as `fd` is readable, or what else `events` says, or has an error; keeps the
   * process alive until closed.
   */
  watch(fd: number, callback: () => void, events?: WatchedEvents): Watch;
  /**
   * Where memory of JavaScript's own is. It stays there for as long as something refers to it, which whoever passes the
   * address on must see to.
   */
  addressOf(memory: ArrayBufferLike): Address;
}

/** A stretch of memory that both the kernel and JavaScript see. */
export interface Mapping {
  readonly address: Address;
  readonly buffer: ArrayBuffer;
  /** After it neither address nor buffer may be touched. */
  unmap(): void;
}

/** Throws when koffi is not installed or has no binary for this machine. */
export function loadLinux(): Linux {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const libc = koffi.load(null);
  const bound = Object.entries(SIGNATURES).map(([name, [result = 'void', ...parameters]]) => [
    name,
    libc.func(name, result, parameters),
  ]);
  const calls = Object.fromEntries([...bound, ['errno', () => koffi.errno()]]) as SystemCalls;
  return {
    calls,
    map: (bytes) => mapMemory(koffi, calls, bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
    mapShared: (fd, offset, bytes) =>
      mapMemory(koffi, calls, bytes, MAP_SHARED | MAP_POPULATE, fd, offset),
    watch: (fd, callback, events = { readable: true }) =>
      watchDescriptor(koffi, fd, events, callback),
    addressOf: (memory) => Number(koffi.address(memory)),
  };
}

function watchDescriptor(
  koffi: Koffi,
  fd: number,
  events: WatchedEvents,
  callback: () => void,
): Watch {
  let watched = events;
  const onPoll = (status: number): void => {
    if (status < 0) handle.start(watched, onPoll);
    try {
      callback();
    } catch (error) {
      // What is thrown into koffi is lost, and the loop stands still.
      process.nextTick(() => {
        throw error;
      });
    }
  };
  const handle = koffi.node.poll(fd, watched, onPoll);
  return {
    change(changed) {
      watched = changed;
      handle.start(watched, onPoll);
    },
    close: () => handle.close(),
  };
}

function mapMemory(
  koffi: Koffi,
  calls: SystemCalls,
  bytes: number,
  flags: number,
  fd: number,
  offset: number,
): Mapping {
  const address = calls.mmap(0, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);
  if (address === -1) throw systemError(calls, 'mmap');
  const buffer = koffi.view(BigInt(address), bytes);
  return { address, buffer, unmap: () => void calls.munmap(address, bytes) };
}

/** The failure of the call made last. */
export function systemError(calls: SystemCalls, call: string): Error {
  return errnoError(calls.errno(), call);
}

/** An Error with the system's `code`, as Node's own have. */
export function errnoError(errno: number, call: string): Error & { readonly code: string } {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${call}: ${code}`), { code, errno: -errno, syscall: call });
}

/** Repeats a call that a signal interrupted. */
export function uninterrupted(calls: SystemCalls, call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -1 || calls.errno() !== EINTR) return result;
  }
}
