/**
 * How the main thread and the forwarding thread talk: a table of slots in shared memory and a mailbox each
 * way. A slot is one connection or one listener. A message is a kind, 1 to 15, on a slot; what more there is
 * to say stands in the slot's fields. Messages on one slot stay in order.
 *
 * Nothing can overflow: a slot holds at most eight messages each way (the protocol needs six), and a mailbox
 * lists a slot once, however many messages wait on it.
 */
export class SlotTable {
  readonly words: Int32Array;
  readonly slots: number;
  readonly #bytes: Uint8Array;
  readonly #doubles: Float64Array;
  readonly #first: number;

  constructor(buffer: SharedArrayBuffer, slots: number) {
    this.slots = slots;
    this.words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.#first = HEADER_WORDS + 2 * (slots + RING_SPARE);
  }

  /** `slots` must be even, so that doubles are aligned. */
  static allocate(slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(
      (HEADER_WORDS + 2 * (slots + RING_SPARE) + slots * SLOT_WORDS) * 4,
    );
  }

  get(slot: number, field: Field): number {
    return this.words[this.#first + slot * SLOT_WORDS + field] ?? 0;
  }

  set(slot: number, field: Field, value: number): void {
    this.words[this.#first + slot * SLOT_WORDS + field] = value;
  }

  /**
   * Bytes so far. A double is written whole by both architectures, so a reader on the other thread sees
   * an old value or a new one, never half of each.
   */
  count(slot: number, counter: Counter): number {
    return this.#doubles[((this.#first + slot * SLOT_WORDS) >> 1) + counter] ?? 0;
  }

  setCount(slot: number, counter: Counter, value: number): void {
    this.#doubles[((this.#first + slot * SLOT_WORDS) >> 1) + counter] = value;
  }

  /** The bytes of one of the slot's socket addresses. */
  sockaddr(slot: number, which: SockaddrField): Uint8Array {
    const at = (this.#first + slot * SLOT_WORDS + which) * 4;
    return this.#bytes.subarray(at, at + SOCKADDR_WORDS * 4);
  }

  /** Copies a socket address to `to`, which starts at a word. */
  copySockaddr(slot: number, which: SockaddrField, to: Int32Array): void {
    const at = this.#first + slot * SLOT_WORDS + which;
    for (let word = 0; word < SOCKADDR_WORDS; word += 1) to[word] = this.words[at + word] ?? 0;
  }

  /** `start`: the word of `from` at which the address begins. */
  storeSockaddr(slot: number, which: SockaddrField, from: Int32Array, start = 0): void {
    const at = this.#first + slot * SLOT_WORDS + which;
    for (let word = 0; word < SOCKADDR_WORDS; word += 1)
      this.words[at + word] = from[start + word] ?? 0;
  }

  sockaddrWord(slot: number, which: SockaddrField, word: number): number {
    return this.words[this.#first + slot * SLOT_WORDS + which + word] ?? 0;
  }

  /** Index of a slot's message queue for one side. */
  queue(slot: number, side: Side): number {
    return this.#first + slot * SLOT_WORDS + side;
  }
}

/** Words before the rings. Heads and tails of the two mailboxes are a cache line apart. */
export const HEADER = {
  /** 1: the forwarding thread is to end. */
  stop: 0,
  /** 1: the forwarding thread waits in the kernel and must be woken. */
  workerSleeps: 1,
  /** 1: the main thread has been woken and has not looked yet. */
  mainRung: 2,
  acceptErrors: 3,
  sourcesLost: 4,
  /** Raised when standing routes are revoked. Main. */
  epoch: 5,
  /** What was followed in earlier epochs has been told. Worker. */
  seenEpoch: 6,
  rings: 16,
} as const;
const HEADER_WORDS = 80;
/** A ring is never full, so that full and empty differ; two, so that what follows is aligned. */
const RING_SPARE = 2;

/** Which thread reads a message queue; the value is the queue's word in the slot. */
export const SIDE = { main: 0, worker: 1 } as const;
export type Side = (typeof SIDE)[keyof typeof SIDE];

/** Words of a slot beside its two message queues. Who writes them stands behind each. */
export const FIELD = {
  /** Counts the slot's uses, so that a late epoll event does not hit the next one. Worker. */
  generation: 2,
  /** Why a dial failed. Worker. */
  errno: 3,
  /** The accepted socket (worker), or the listening one (main). */
  fd: 4,
  /** The slot of the listener it came through. Worker. */
  listener: 5,
  /** 1: bind to the address in `source`. Whoever decides, main or worker. */
  bound: 6,
  /** With `accepted` (worker): the standing route it follows; 0: the main thread decides. With `dial` (main): one that was offered. */
  standing: 7,
  /** Which of its choices. Worker. */
  choice: 33,
} as const;
type Field = (typeof FIELD)[keyof typeof FIELD];

/** In doubles from the slot's start. Worker. */
export const COUNTER = { fromClient: 4, fromServer: 5 } as const;
type Counter = (typeof COUNTER)[keyof typeof COUNTER];

/** Room for a struct sockaddr_in6. The client's is the worker's to write, the others are whoever's decides. */
export const SOCKADDR_FIELD = { client: 12, target: 19, source: 26 } as const;
type SockaddrField = (typeof SOCKADDR_FIELD)[keyof typeof SOCKADDR_FIELD];
export const SOCKADDR_WORDS = 7;
const SLOT_WORDS = 34;

/** Messages to the main thread. */
export const TO_MAIN = {
  accepted: 1,
  established: 2,
  dialFailed: 3,
  clientFin: 4,
  serverFin: 5,
  clientReset: 6,
  serverReset: 7,
  /** The last message on a connection: its sockets are gone. */
  closed: 8,
  /** The last message on a listener: its port is free. */
  unlistened: 9,
} as const;

/** Messages to the forwarding thread. */
export const TO_WORKER = {
  dial: 1,
  /** Gives up the dial under way: dialFailed with ETIMEDOUT follows, unless it was established meanwhile. */
  abortDial: 2,
  /** The main thread has taken the accepted socket; the slot is free. */
  released: 3,
  /** Reset both sides; `closed` follows. */
  kill: 4,
  listen: 5,
  unlisten: 6,
} as const;

const MESSAGE_BITS = 4;
const MESSAGE_MASK = 15;

/** Messages for one side. One thread posts, the other drains. */
export class Mailbox {
  readonly #table: SlotTable;
  readonly #words: Int32Array;
  readonly #side: Side;
  readonly #ring: number;
  readonly #head: number;
  readonly #tail: number;

  constructor(table: SlotTable, side: Side) {
    this.#table = table;
    this.#words = table.words;
    this.#side = side;
    this.#ring = HEADER_WORDS + side * (table.slots + RING_SPARE);
    this.#head = HEADER.rings + side * 32;
    this.#tail = this.#head + 16;
  }

  get empty(): boolean {
    return Atomics.load(this.#words, this.#head) === Atomics.load(this.#words, this.#tail);
  }

  /** True while a message on the slot has not been handled. */
  pending(slot: number): boolean {
    return Atomics.load(this.#words, this.#table.queue(slot, this.#side)) !== 0;
  }

  post(slot: number, message: number): void {
    const words = this.#words;
    const queue = this.#table.queue(slot, this.#side);
    for (;;) {
      const before = Atomics.load(words, queue);
      const shift = 32 - Math.clz32(before);
      const free = Math.ceil(shift / MESSAGE_BITS) * MESSAGE_BITS;
      if (free >= 32) throw new Error(`slot ${slot}: more messages than the protocol has`);
      if (Atomics.compareExchange(words, queue, before, before | (message << free)) !== before)
        continue;
      if (before === 0) this.#list(slot);
      return;
    }
  }

  /** Hands over what has been posted so far and meanwhile. */
  drain(receive: (slot: number, message: number) => void): void {
    const words = this.#words;
    for (;;) {
      const head = Atomics.load(words, this.#head);
      if (head === Atomics.load(words, this.#tail)) return;
      const slot = words[this.#ring + head] ?? 0;
      Atomics.store(words, this.#head, this.#after(head));
      this.#drainSlot(slot, receive);
    }
  }

  #drainSlot(slot: number, receive: (slot: number, message: number) => void): void {
    const words = this.#words;
    const queue = this.#table.queue(slot, this.#side);
    for (let waiting = Atomics.load(words, queue); waiting !== 0; ) {
      receive(slot, waiting & MESSAGE_MASK);
      // Only now is the message gone: an empty queue means that the slot's fields are no longer read.
      for (;;) {
        const before = Atomics.load(words, queue);
        waiting = before >>> MESSAGE_BITS;
        if (Atomics.compareExchange(words, queue, before, waiting) === before) break;
      }
    }
  }

  #list(slot: number): void {
    const words = this.#words;
    const tail = Atomics.load(words, this.#tail);
    words[this.#ring + tail] = slot;
    Atomics.store(words, this.#tail, this.#after(tail));
  }

  #after(position: number): number {
    return position + 1 === this.#table.slots + RING_SPARE ? 0 : position + 1;
  }
}
