const PAGE_BITS = 4096;
const WORD_BITS = 32;
const FULL_WORD = -1;

interface Page {
  readonly words: Int32Array;
  used: number;
}

/**
 * A set of integers in [0, size) that answers "which is the next free one". Pages of 4,096 bits exist only
 * while they hold something, so an IPv6 block costs what is used of it. Every operation touches one page, and
 * {@link nextFree} steps over full pages by their count: flat from one member to a million.
 */
export class SparseBitmap {
  readonly size: number;
  readonly #pages = new Map<number, Page>();
  #used = 0;

  constructor(size: number) {
    this.size = size;
  }

  get used(): number {
    return this.#used;
  }

  has(index: number): boolean {
    const page = this.#pages.get(Math.floor(index / PAGE_BITS));
    return page !== undefined && (wordAt(page, index) & maskOf(index)) !== 0;
  }

  /** False when it was set already. */
  set(index: number): boolean {
    const page = this.#pageFor(index);
    const word = wordAt(page, index);
    if ((word & maskOf(index)) !== 0) return false;
    page.words[wordIndex(index)] = word | maskOf(index);
    page.used += 1;
    this.#used += 1;
    return true;
  }

  /** False when it was not set. */
  clear(index: number): boolean {
    const pageIndex = Math.floor(index / PAGE_BITS);
    const page = this.#pages.get(pageIndex);
    if (page === undefined) return false;
    const word = wordAt(page, index);
    if ((word & maskOf(index)) === 0) return false;
    page.words[wordIndex(index)] = word & ~maskOf(index);
    page.used -= 1;
    this.#used -= 1;
    if (page.used === 0) this.#pages.delete(pageIndex);
    return true;
  }

  /** The smallest free index in [from, end), or undefined. */
  nextFree(from: number, end: number = this.size): number | undefined {
    for (let at = from; at < end; ) {
      const pageIndex = Math.floor(at / PAGE_BITS);
      const page = this.#pages.get(pageIndex);
      if (page === undefined) return at;
      const found = page.used === PAGE_BITS ? undefined : freeBitFrom(page, at % PAGE_BITS);
      if (found !== undefined) {
        const index = pageIndex * PAGE_BITS + found;
        return index < end ? index : undefined;
      }
      at = (pageIndex + 1) * PAGE_BITS;
    }
    return undefined;
  }

  #pageFor(index: number): Page {
    const pageIndex = Math.floor(index / PAGE_BITS);
    const existing = this.#pages.get(pageIndex);
    if (existing !== undefined) return existing;
    const page = { words: new Int32Array(PAGE_BITS / WORD_BITS), used: 0 };
    this.#pages.set(pageIndex, page);
    return page;
  }
}

function wordIndex(index: number): number {
  return (index % PAGE_BITS) >>> 5;
}

function wordAt(page: Page, index: number): number {
  return page.words[wordIndex(index)] ?? 0;
}

function maskOf(index: number): number {
  return 1 << (index % WORD_BITS);
}

function freeBitFrom(page: Page, bit: number): number | undefined {
  // Bits below the start count as taken, in the first word only.
  let taken = (page.words[bit >>> 5] ?? 0) | ((1 << (bit & 31)) - 1);
  for (let word = bit >>> 5; word < page.words.length; taken = page.words[++word] ?? FULL_WORD) {
    if (taken === FULL_WORD) continue;
    const free = ~taken;
    return word * WORD_BITS + (31 - Math.clz32(free & -free));
  }
  return undefined;
}
