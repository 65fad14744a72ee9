/** A pending callback of a {@link Clock}. */
export interface Timer {
  /** Idempotent; after it the callback never runs. */
  cancel(): void;
}

/**
 * Time as an argument. Everything that waits or measures takes a Clock, so that tests and simulations
 * run in virtual time.
 */
export interface Clock {
  /** Monotonic milliseconds with a fraction; the origin is unspecified. For durations and deadlines. */
  now(): number;
  /** Milliseconds since the Unix epoch. For timestamps that people and the API see. */
  wallNow(): number;
  /** Runs `callback` once, `delayMs` from now at the earliest. Negative delays count as 0. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` after the I/O of this event-loop turn: the natural boundary of a batch. */
  defer(callback: () => void): Timer;
}

/** setTimeout's limit; a longer delay would fire at once. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

/** The machine's clock. Timers keep the process alive until cancelled. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_TIMEOUT_MS));
    return { cancel: () => clearTimeout(handle) };
  },
  defer(callback) {
    const handle = setImmediate(callback);
    return { cancel: () => clearImmediate(handle) };
  },
};

interface ScheduledCall {
  readonly dueAt: number;
  readonly order: number;
  readonly callback: () => void;
  state: 'waiting' | 'cancelled' | 'done';
}

/**
 * Virtual time for tests and simulations: stands still until {@link advance} or {@link runNext}.
 * Callbacks run in order of due time, then of scheduling. A binary heap, so large simulations stay
 * O(log n) a timer.
 */
export class ManualClock implements Clock {
  readonly #wallOffsetMs: number;
  readonly #heap: ScheduledCall[] = [];
  #cancelled = 0;
  #now: number;
  #order = 0;

  constructor(options: { startMs?: number; wallStartMs?: number } = {}) {
    this.#now = options.startMs ?? 0;
    this.#wallOffsetMs = (options.wallStartMs ?? Date.UTC(2026, 0, 1)) - this.#now;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.#wallOffsetMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const call: ScheduledCall = {
      dueAt: this.#now + Math.max(delayMs, 0),
      order: this.#order++,
      callback,
      state: 'waiting',
    };
    this.#push(call);
    return {
      cancel: () => {
        if (call.state !== 'waiting') return;
        call.state = 'cancelled';
        this.#cancelled += 1;
      },
    };
  }

  defer(callback: () => void): Timer {
    return this.setTimer(0, callback);
  }

  /** How many callbacks are waiting; 0 at the end of a test proves that nothing leaked. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** When the next callback is due on {@link now}'s scale, or undefined when none waits. */
  get nextDueAt(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.dueAt;
  }

  /** Moves time forward, running everything that falls due on the way, also what that schedules. */
  advance(byMs: number): void {
    this.advanceTo(this.#now + byMs);
  }

  advanceTo(deadline: number): void {
    for (let due = this.nextDueAt; due !== undefined && due <= deadline; due = this.nextDueAt)
      this.runNext();
    this.#now = Math.max(this.#now, deadline);
  }

  /** Jumps to the next callback and runs it. False when nothing waits. */
  runNext(): boolean {
    this.#dropCancelled();
    const call = this.#pop();
    if (call === undefined) return false;
    this.#now = Math.max(this.#now, call.dueAt);
    call.state = 'done';
    call.callback();
    return true;
  }

  #dropCancelled(): void {
    while (this.#heap[0]?.state === 'cancelled') {
      this.#pop();
      this.#cancelled -= 1;
    }
  }

  #push(call: ScheduledCall): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || before(parent, call)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = call;
  }

  #pop(): ScheduledCall | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childIndex += 1;
      }
      if (before(last, child)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
    return top;
  }
}

function before(a: ScheduledCall, b: ScheduledCall): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

/** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
