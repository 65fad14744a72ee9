/** What can wait in a {@link DeadlineHeap}. The heap owns both fields; -1 is "not in it". */
export interface Waiter {
  deadline: number;
  heapIndex: number;
}

/** A binary min-heap whose members know their place, so that moving a deadline is O(log n). */
export class DeadlineHeap<T extends Waiter> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, or Infinity. */
  get next(): number {
    return this.#heap[0]?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** Moves `item` to `deadline`, adding it when absent; Infinity removes it. */
  schedule(item: T, deadline: number): void {
    if (item.heapIndex >= 0 && item.deadline === deadline) return;
    if (deadline === Number.POSITIVE_INFINITY) {
      this.remove(item);
      return;
    }
    item.deadline = deadline;
    if (item.heapIndex < 0) {
      item.heapIndex = this.#heap.length;
      this.#heap.push(item);
    }
    this.#restore(item);
  }

  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    const last = this.#heap.pop();
    item.heapIndex = -1;
    if (last === undefined || last === item) return;
    this.#put(last, index);
    this.#restore(last);
  }

  /** Takes out an item that is due at `now`, the earliest first. */
  popDue(now: number): T | undefined {
    const top = this.#heap[0];
    if (top === undefined || top.deadline > now) return undefined;
    this.remove(top);
    return top;
  }

  #restore(item: T): void {
    this.#sinkUp(item);
    this.#sinkDown(item);
  }

  #sinkUp(item: T): void {
    while (item.heapIndex > 0) {
      const parent = this.#heap[(item.heapIndex - 1) >> 1] as T;
      if (parent.deadline <= item.deadline) return;
      this.#swap(parent, item);
    }
  }

  #sinkDown(item: T): void {
    for (;;) {
      const left = this.#heap[2 * item.heapIndex + 1];
      const right = this.#heap[2 * item.heapIndex + 2];
      if (left === undefined) return;
      const child = right !== undefined && right.deadline < left.deadline ? right : left;
      if (item.deadline <= child.deadline) return;
      this.#swap(item, child);
    }
  }

  #swap(a: T, b: T): void {
    const index = a.heapIndex;
    this.#put(a, b.heapIndex);
    this.#put(b, index);
  }

  #put(item: T, index: number): void {
    this.#heap[index] = item;
    item.heapIndex = index;
  }
}
