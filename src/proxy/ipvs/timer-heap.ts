import type { Clock, Timer } from '../../base/clock.ts';

/** Something with a deadline. The heap alone writes `heapKeyMs` and `heapIndex`. */
export interface Expirable {
  /** On the clock's scale. */
  expiresAtMs: number;
  heapKeyMs: number;
  /** -1: not in a heap. */
  heapIndex: number;
  onExpire(): void;
}

/**
 * All deadlines of one director behind one clock timer. Moving a deadline later, which every packet of a
 * connection does, costs nothing: the entry is only sorted in again when its old deadline comes.
 * Everything else is O(log n).
 */
export class TimerHeap {
  readonly #clock: Clock;
  readonly #heap: Expirable[] = [];
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts or moves the entry's timer. */
  restart(entry: Expirable, delayMs: number): void {
    if (this.#closed) return;
    const deadline = this.#clock.now() + delayMs;
    entry.expiresAtMs = deadline;
    if (entry.heapIndex < 0) {
      entry.heapIndex = this.#heap.length;
      this.#heap.push(entry);
    } else if (deadline >= entry.heapKeyMs) return;
    entry.heapKeyMs = deadline;
    this.#siftUp(entry);
    this.#arm();
  }

  remove(entry: Expirable): void {
    const index = entry.heapIndex;
    if (index < 0) return;
    entry.heapIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    last.heapIndex = index;
    this.#heap[index] = last;
    this.#siftUp(last);
    this.#siftDown(last);
  }

  /**
   * Forgets all entries and takes no more. Connections that outlive their director still have it told how they end; a
   * timer started then would keep the process from ending.
   */
  close(): void {
    this.#closed = true;
    for (const entry of this.#heap) entry.heapIndex = -1;
    this.#heap.length = 0;
    this.#disarm();
  }

  #arm(): void {
    const due = this.#heap[0]?.heapKeyMs ?? Infinity;
    if (due >= this.#timerAtMs) return;
    this.#disarm();
    this.#timerAtMs = due;
    this.#timer = this.#clock.setTimer(due - this.#clock.now(), () => this.#run());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
  }

  #run(): void {
    this.#disarm();
    const now = this.#clock.now();
    for (;;) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.heapKeyMs > now) break;
      if (entry.expiresAtMs > now) {
        entry.heapKeyMs = entry.expiresAtMs;
        this.#siftDown(entry);
      } else {
        this.remove(entry);
        entry.onExpire();
      }
    }
    this.#arm();
  }

  #siftUp(entry: Expirable): void {
    const heap = this.#heap;
    let index = entry.heapIndex;
    while (index > 0) {
      const parent = heap[(index - 1) >> 1];
      if (parent === undefined || parent.heapKeyMs <= entry.heapKeyMs) break;
      heap[index] = parent;
      const parentIndex = parent.heapIndex;
      parent.heapIndex = index;
      index = parentIndex;
    }
    heap[index] = entry;
    entry.heapIndex = index;
  }

  #siftDown(entry: Expirable): void {
    const heap = this.#heap;
    let index = entry.heapIndex;
    for (;;) {
      let child = heap[2 * index + 1];
      if (child === undefined) break;
      const right = heap[2 * index + 2];
      if (right !== undefined && right.heapKeyMs < child.heapKeyMs) child = right;
      if (entry.heapKeyMs <= child.heapKeyMs) break;
      const childIndex = child.heapIndex;
      heap[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    heap[index] = entry;
    entry.heapIndex = index;
  }
}

/** A recurring or one-off job in a {@link TimerHeap}. */
export class HeapTask implements Expirable {
  expiresAtMs = 0;
  heapKeyMs = 0;
  heapIndex = -1;
  readonly onExpire: () => void;

  constructor(onExpire: () => void) {
    this.onExpire = onExpire;
  }

  get waiting(): boolean {
    return this.heapIndex >= 0;
  }
}
