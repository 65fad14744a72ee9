import type { Address, Linux, Mapping } from './system-calls.ts';

/** The size of a big read, and of the buffer that takes it. */
export const BUFFER_BYTES = 65_536;
const ARENA_BYTES: number = 1 << 20;

/**
 * Memory for bytes on their way, in buffers of one size, which must divide a MiB. The pool owns
 * the memory until `release`, so an address stays valid for as long as the thread runs, whatever happens to
 * the connection that used it.
 */
export class BufferPool {
  readonly #linux: Linux;
  readonly #bytes: number;
  readonly #arenas: Mapping[] = [];
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

  release(): void {
    for (const arena of this.#arenas) arena.unmap();
    this.#arenas.length = 0;
    this.#free.length = 0;
  }

  #grow(): void {
    const arena = this.#linux.map(ARENA_BYTES);
    this.#arenas.push(arena);
    for (let at = 0; at < ARENA_BYTES; at += this.#bytes) this.#free.push(arena.address + at);
  }
}
