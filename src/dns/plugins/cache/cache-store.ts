import type { Random } from '../../../base/random.ts';

/**
 * A bounded map that evicts at random when it is full. Keys live in an array too, so that a victim is
 * drawn without walking the map.
 */
export class CacheStore<T> {
  readonly #capacity: number;
  readonly #random: Random;
  readonly #items = new Map<string, { value: T; index: number }>();
  readonly #keys: string[] = [];

  constructor(capacity: number, random: Random) {
    this.#capacity = capacity;
    this.#random = random;
  }

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): T | undefined {
    return this.#items.get(key)?.value;
  }

  /** True when another entry had to go. */
  set(key: string, value: T): boolean {
    const known = this.#items.get(key);
    if (known !== undefined) {
      known.value = value;
      return false;
    }
    const full = this.#keys.length >= this.#capacity;
    if (full) this.delete(this.#keys[this.#random.below(this.#keys.length)] ?? '');
    this.#items.set(key, { value, index: this.#keys.length });
    this.#keys.push(key);
    return full;
  }

  delete(key: string): boolean {
    const known = this.#items.get(key);
    if (known === undefined) return false;
    this.#items.delete(key);
    const last = this.#keys.pop();
    if (last === undefined || last === key) return true;
    this.#keys[known.index] = last;
    const moved = this.#items.get(last);
    if (moved !== undefined) moved.index = known.index;
    return true;
  }
}
