import type { Address, Linux } from '../../../base/linux/system-calls.ts';

/** The size of a big read, and of the buffer that takes it. */
export const BUFFER_BYTES = 65_536;
const ARENA_BYTES: number = 1 << 20;

/**
 * Memory for bytes on their way, in buffers of one size, which must divide a MiB. It is never unmapped while the
 * thread runs, so an address stays valid whatever happens to the connection that used it.
 */
export class BufferPool {
  readonly #linux: Linux;
  readonly #bytes: number;
  readonly #free: Address[] = [];

  constructor(linux: Linux, bytes: number) {
    this.#linux = linux;
    this.#bytes = bytes;
  }

  take(): Address {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop() ?? 0;
  }

  giveBack(buffer: Address): void {
    this.#free.push(buffer);
  }

  #grow(): void {
    const arena = this.#linux.map(ARENA_BYTES).address;
    for (let at = 0; at < ARENA_BYTES; at += this.#bytes) this.#free.push(arena + at);
  }
}
