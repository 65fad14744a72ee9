import { SO_LINGER, SOL_SOCKET } from './abi.ts';
import type { Linux, Mapping, SystemCalls } from './system-calls.ts';

/** fs.nr_open's default: no process has higher descriptors. */
const MOST_DESCRIPTORS = 1 << 20;

/**
 * Which descriptors the forwarding thread owns, in memory that both threads see: when the thread dies, the
 * main thread closes what is left. A byte a descriptor; untouched pages cost nothing.
 */
export class Descriptors {
  readonly shared: SharedArrayBuffer;
  readonly #owned: Uint8Array;
  readonly #calls: SystemCalls;
  readonly #linger: Mapping;

  constructor(linux: Linux, shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(MOST_DESCRIPTORS);
    this.#owned = new Uint8Array(this.shared);
    this.#calls = linux.calls;
    // struct linger { int l_onoff; int l_linger; }: on, 0 seconds. Lives as long as this object's thread.
    this.#linger = linux.map(8);
    new Int32Array(this.#linger.buffer).set([1, 0]);
  }

  own(fd: number): number {
    this.#owned[fd] = 1;
    return fd;
  }

  /** Somebody else closes it from now on. */
  disown(fd: number): void {
    this.#owned[fd] = 0;
  }

  close(fd: number): void {
    // Before the call: right after it another thread may be given the same number.
    this.#owned[fd] = 0;
    this.#calls.close(fd);
  }

  /** Sends RST, drops what is queued and closes. */
  reset(fd: number): void {
    this.#calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#linger.address, 8);
    this.close(fd);
  }

  /** Everything that is still owned: sockets are reset, the rest is closed. */
  resetAll(): void {
    for (let fd = this.#owned.indexOf(1); fd !== -1; fd = this.#owned.indexOf(1, fd + 1))
      this.reset(fd);
  }

  /** Releases this thread's memory; the table itself is shared. */
  release(): void {
    this.#linger.unmap();
  }
}
