/**
 * The future of a simulation: a binary min-heap of (time, payload, stamp) in typed arrays. The stamp lets
 * the owner of a payload recognise events of an earlier life, so nothing ever needs to be removed from
 * the middle. Grows by doubling.
 */
export class EventHeap {
  #times = new Float64Array(1024);
  #payloads = new Int32Array(1024);
  #stamps = new Int32Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** When the next event is due; Infinity when there is none. */
  get nextTime(): number {
    return this.#size === 0 ? Infinity : (this.#times[0] as number);
  }

  get nextPayload(): number {
    return this.#payloads[0] as number;
  }

  get nextStamp(): number {
    return this.#stamps[0] as number;
  }

  push(time: number, payload: number, stamp: number): void {
    if (this.#size === this.#times.length) this.#grow();
    const times = this.#times;
    const payloads = this.#payloads;
    const stamps = this.#stamps;
    let index = this.#size++;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const parentTime = times[parent] as number;
      if (parentTime <= time) break;
      times[index] = parentTime;
      payloads[index] = payloads[parent] as number;
      stamps[index] = stamps[parent] as number;
      index = parent;
    }
    times[index] = time;
    payloads[index] = payload;
    stamps[index] = stamp;
  }

  /** Drops the next event; read it first. */
  pop(): void {
    const size = --this.#size;
    if (size <= 0) return;
    const times = this.#times;
    const payloads = this.#payloads;
    const stamps = this.#stamps;
    const time = times[size] as number;
    let index = 0;
    for (let child = 1; child < size; child = 2 * index + 1) {
      const right = child + 1;
      if (right < size && (times[right] as number) < (times[child] as number)) child = right;
      const childTime = times[child] as number;
      if (time <= childTime) break;
      times[index] = childTime;
      payloads[index] = payloads[child] as number;
      stamps[index] = stamps[child] as number;
      index = child;
    }
    times[index] = time;
    payloads[index] = payloads[size] as number;
    stamps[index] = stamps[size] as number;
  }

  #grow(): void {
    const capacity = this.#times.length * 2;
    this.#times = grown(this.#times, new Float64Array(capacity));
    this.#payloads = grown(this.#payloads, new Int32Array(capacity));
    this.#stamps = grown(this.#stamps, new Int32Array(capacity));
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
