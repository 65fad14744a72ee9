import type { Clock, Timer } from '../../base/clock.ts';

/** client-go's default controller rate limiter: 5 ms doubling to 1000 s. Ours stops at a minute. */
const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 60_000;

/**
 * Keys that need work. A key is in it once however often it is added, and is never handed out twice at the
 * same time: added while it is being worked on, it comes again afterwards. Bounded by the number of
 * different keys.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  readonly #dirty = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly dueAt: number; readonly timer: Timer }>();
  #wake: () => void = () => {};
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nothing to do, now or later. */
  get idle(): boolean {
    return this.#ready.size === 0 && this.#working.size === 0 && this.#dirty.size === 0;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#ready.add(key);
    this.#wake();
  }

  /** Adds the key after the delay, or sooner if an earlier time was set. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    const dueAt = this.#clock.now() + delayMs;
    const pending = this.#delayed.get(key);
    if (pending !== undefined && pending.dueAt <= dueAt) return;
    pending?.timer.cancel();
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueAt, timer });
  }

  /** Work on the key failed: it comes again, later each time. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(BASE_DELAY_MS * 2 ** Math.min(failures, 30), MAX_DELAY_MS));
  }

  /** Work on the key succeeded. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, or undefined once the queue is closed. One reader at a time. */
  async next(): Promise<string | undefined> {
    while (!this.#closed) {
      const [key] = this.#ready;
      if (key !== undefined) {
        this.#ready.delete(key);
        this.#working.add(key);
        return key;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return undefined;
  }

  /** Every key from {@link next} must come back. */
  done(key: string): void {
    this.#working.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#wake();
  }
}
