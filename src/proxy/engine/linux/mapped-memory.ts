import type { Linux, Mapping } from '../../../base/linux/system-calls.ts';

/** Arenas are a MiB, so this is more memory than an engine can fill; Linux allows a process 65,530 (vm.max_map_count). */
const MOST_MAPPINGS = 32_768;
/** Doubles before the list: a count, in the first word. */
const HEADER_DOUBLES = 1;
const ENTRY_DOUBLES = 2;

/**
 * The memory that the kernel is told of, and that it may write to until the thread that told it has ended: kept in a list
 * that all threads of an engine see, so that it outlives the thread that mapped it, and given back at once by `release`,
 * after that thread's end, whatever that was.
 */
export class MappedMemory {
  readonly shared: SharedArrayBuffer;
  /** The system's calls; what is mapped through these belongs to this list. */
  readonly linux: Linux;
  readonly #linux: Linux;
  readonly #count: Int32Array;
  readonly #entries: Float64Array;

  constructor(linux: Linux, shared?: SharedArrayBuffer) {
    this.shared =
      shared ?? new SharedArrayBuffer((HEADER_DOUBLES + MOST_MAPPINGS * ENTRY_DOUBLES) * 8);
    this.#linux = linux;
    this.#count = new Int32Array(this.shared, 0, 1);
    this.#entries = new Float64Array(this.shared, HEADER_DOUBLES * 8);
    this.linux = {
      ...linux,
      map: (bytes) => this.#remember(linux.map(bytes)),
      mapShared: (fd, offset, bytes) => this.#remember(linux.mapShared(fd, offset, bytes)),
    };
  }

  /** Everything that is still mapped. No thread may touch any of it afterwards. */
  release(): void {
    const count = Math.min(Atomics.exchange(this.#count, 0, 0), MOST_MAPPINGS);
    for (let at = 0; at < count * ENTRY_DOUBLES; at += ENTRY_DOUBLES) {
      const [address = 0, bytes = 0] = this.#entries.subarray(at, at + ENTRY_DOUBLES);
      if (bytes > 0) this.#linux.calls.munmap(address, bytes);
    }
  }

  #remember(mapping: Mapping): Mapping {
    const at = Atomics.add(this.#count, 0, 1) * ENTRY_DOUBLES;
    if (at >= this.#entries.length) {
      mapping.unmap();
      throw new Error(`more than ${MOST_MAPPINGS} mappings`);
    }
    this.#entries.set([mapping.address, mapping.buffer.byteLength], at);
    const unmap = (): void => {
      this.#entries[at + 1] = 0;
      mapping.unmap();
    };
    return { ...mapping, unmap };
  }
}
