/** Numbers that fall due in the order they were put in: a ring that grows by doubling. */
export class ExpiryQueue {
  #times = new Float64Array(1024);
  #values = new Int32Array(1024);
  #head = 0;
  #size = 0;

  /** When the first one is due; Infinity when there is none. */
  get nextAt(): number {
    return this.#size === 0 ? Infinity : (this.#times[this.#head] as number);
  }

  /** `at` is not before that of the one pushed last. */
  push(at: number, value: number): void {
    if (this.#size === this.#times.length) this.#grow();
    const tail = (this.#head + this.#size) & (this.#times.length - 1);
    this.#times[tail] = at;
    this.#values[tail] = value;
    this.#size += 1;
  }

  /** Takes the first one out. Only when {@link nextAt} says that there is one. */
  shift(): number {
    const value = this.#values[this.#head] as number;
    this.#head = (this.#head + 1) & (this.#times.length - 1);
    this.#size -= 1;
    return value;
  }

  #grow(): void {
    const capacity = this.#times.length;
    const times = new Float64Array(capacity * 2);
    const values = new Int32Array(capacity * 2);
    for (let offset = 0; offset < this.#size; offset += 1) {
      const from = (this.#head + offset) & (capacity - 1);
      times[offset] = this.#times[from] as number;
      values[offset] = this.#values[from] as number;
    }
    this.#times = times;
    this.#values = values;
    this.#head = 0;
  }
}
