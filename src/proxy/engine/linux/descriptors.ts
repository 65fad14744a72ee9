import { SOCKADDR } from '../../../base/linux/abi.ts';
import type { Linux, Mapping, SystemCalls } from '../../../base/linux/system-calls.ts';

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
  readonly #nobody: Mapping;

  constructor(linux: Linux, shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(MOST_DESCRIPTORS);
    this.#owned = new Uint8Array(this.shared);
    this.#calls = linux.calls;
    // A struct sockaddr of family AF_UNSPEC, which is 0.
    this.#nobody = linux.map(SOCKADDR.v4Bytes);
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

  /**
   * Sends RST, drops what is queued, stops listening: connect(2) to AF_UNSPEC, which takes effect even while an io_uring
   * holds on to the socket, and makes its requests fail. The socket must still be closed.
   */
  abort(fd: number): void {
    this.#calls.connect(fd, this.#nobody.address, SOCKADDR.v4Bytes);
  }

  /** Aborts and closes. */
  reset(fd: number): void {
    this.abort(fd);
    this.close(fd);
  }

  /** Everything that is still owned: sockets are reset, the rest is closed. */
  resetAll(): void {
    for (let fd = this.#owned.indexOf(1); fd !== -1; fd = this.#owned.indexOf(1, fd + 1))
      this.reset(fd);
  }
}
