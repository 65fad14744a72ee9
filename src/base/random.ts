/** Chance as an argument. Everything random takes one of these, so that a seed reproduces a run. */
export interface Random {
  /** Uniform over all 32-bit unsigned integers. */
  uint32(): number;
  /** Uniform in [0, 1), 32 bits of resolution. */
  float(): number;
  /** Uniform integer in [0, bound), without modulo bias. `bound` is an integer in 1..2^32. */
  below(bound: number): number;
  /**
   * An independent stream. Equal labels give equal streams for the same seed, whatever was drawn before,
   * so adding a consumer does not disturb the others.
   */
  fork(label: string): Random;
}

const UINT32_RANGE = 0x1_0000_0000;

/** sfc32 (PractRand): small, fast and passes the usual batteries. Not for secrets. */
export function seededRandom(seed: string | number): Random {
  const text = String(seed);
  let a = hashText(text, 0x9e37_79b9);
  let b = hashText(text, 0x85eb_ca6b);
  let c = hashText(text, 0xc2b2_ae35);
  let counter = 1;

  const uint32 = (): number => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    return result >>> 0;
  };
  for (let warmUp = 0; warmUp < 12; warmUp += 1) uint32();

  return {
    uint32,
    float: () => uint32() / UINT32_RANGE,
    below(bound) {
      // Draws at or above the largest multiple of bound would favour small results: draw again.
      const limit = UINT32_RANGE - (UINT32_RANGE % bound);
      let draw = uint32();
      while (draw >= limit) draw = uint32();
      return draw % bound;
    },
    fork: (label) => seededRandom(`${text}/${label}`),
  };
}

/** Fisher–Yates, in place. */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = random.below(last + 1);
    const held = items[last] as T;
    items[last] = items[other] as T;
    items[other] = held;
  }
  return items;
}

/** A seed nobody chose, for runs that were not given one. Print it, so that the run can be repeated. */
export function freshSeed(): string {
  return Math.floor(Math.random() * UINT32_RANGE).toString(36);
}

/** FNV-1a with a finalizer (murmur3's), over UTF-16 code units. */
function hashText(text: string, basis: number): number {
  let hash = basis;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
