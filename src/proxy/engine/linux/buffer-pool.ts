import type { Address, Linux, Mapping } from './system-calls.ts';

/** The size of one read, and of every buffer. */
export const BUFFER_BYTES = 65_536;
const BUFFERS_AN_ARENA = 16;

/**
 * Memory for bytes that a slow reader has not taken yet. At most one buffer a direction is out. The pool owns
 * the memory until `release`, so an address stays valid for as long as the thread runs, whatever happens to
 * the connection that used it.
 */
export class BufferPool {
  readonly #linux: Linux;
  readonly #arenas: Mapping[] = [];
  readonly #free: Address[] = [];

  constructor(linux: Linux) {
    this.#linux = linux;
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
    const arena = this.#linux.map(BUFFERS_AN_ARENA * BUFFER_BYTES);
    this.#arenas.push(arena);
    for (let index = 0; index < BUFFERS_AN_ARENA; index += 1)
      this.#free.push(arena.address + index * BUFFER_BYTES);
  }
}
