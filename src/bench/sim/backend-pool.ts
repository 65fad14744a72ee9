import type { Sampler } from './sampler.ts';

/** What the pool needs to know of one backend. */
export interface PooledBackend {
  readonly serviceTime: Sampler;
  readonly concurrency: number;
  readonly queueLimit: number;
  /** Extra service time of a cold process: `slowdown` at `fromMs`, 1 from `fromMs + durationMs` on. */
  readonly warmUp?: {
    readonly fromMs: number;
    readonly durationMs: number;
    readonly slowdown: number;
  };
}

/**
 * Backends as first-come first-served queues with c servers. Since nothing overtakes, the end of a request
 * is known when it comes in: it starts on the server that is free first (Kiefer and Wolfowitz's workload
 * vector), so a request costs one event and no queue is ever stored.
 */
export class BackendPool {
  /** Requests waiting or served, by backend. Global knowledge: of the algorithms only JSQ may look. */
  readonly inSystem: Int32Array;
  readonly peakInSystem: Int32Array;
  readonly #alive: Uint8Array;
  readonly #capacity: Float64Array;
  readonly #backends: PooledBackend[] = [];
  /** When each server of a backend is free: a binary heap, so that [0] is the earliest. */
  readonly #freeAt: Float64Array[] = [];

  constructor(maximum: number) {
    this.inSystem = new Int32Array(maximum);
    this.peakInSystem = new Int32Array(maximum);
    this.#alive = new Uint8Array(maximum);
    this.#capacity = new Float64Array(maximum);
  }

  /** Starts backend number `index`; events that overlap may start a later one first. */
  add(index: number, backend: PooledBackend): void {
    const servers = Number.isFinite(backend.concurrency) ? backend.concurrency : 0;
    this.#backends[index] = backend;
    this.#freeAt[index] = new Float64Array(servers);
    this.#capacity[index] = backend.concurrency + backend.queueLimit;
    this.#alive[index] = 1;
  }

  isAlive(index: number): boolean {
    return this.#alive[index] === 1;
  }

  stop(index: number): void {
    this.#alive[index] = 0;
  }

  /** When the request that comes in `now` will be answered; -1: the queue is full. */
  admit(index: number, now: number): number {
    const inSystem = (this.inSystem[index] as number) + 1;
    if (inSystem > (this.#capacity[index] as number)) return -1;
    this.inSystem[index] = inSystem;
    if (inSystem > (this.peakInSystem[index] as number)) this.peakInSystem[index] = inSystem;
    const backend = this.#backends[index] as PooledBackend;
    const freeAt = this.#freeAt[index] as Float64Array;
    if (freeAt.length === 0) return now + serviceMs(backend, now);
    const earliest = freeAt[0] as number;
    const startAt = earliest > now ? earliest : now;
    const endAt = startAt + serviceMs(backend, startAt);
    replaceEarliest(freeAt, endAt);
    return endAt;
  }

  /** One request has left, answered or not. */
  leave(index: number): void {
    this.inSystem[index] = (this.inSystem[index] as number) - 1;
  }
}

function serviceMs(backend: PooledBackend, startAt: number): number {
  const drawn = backend.serviceTime();
  const { warmUp } = backend;
  if (warmUp === undefined) return drawn;
  const left = 1 - (startAt - warmUp.fromMs) / warmUp.durationMs;
  return left <= 0 ? drawn : drawn * (1 + (warmUp.slowdown - 1) * left);
}

/** Replaces the least element of a binary heap by a greater one. */
function replaceEarliest(heap: Float64Array, value: number): void {
  const size = heap.length;
  let index = 0;
  for (let child = 1; child < size; child = 2 * index + 1) {
    if (child + 1 < size && (heap[child + 1] as number) < (heap[child] as number)) child += 1;
    const childValue = heap[child] as number;
    if (value <= childValue) break;
    heap[index] = childValue;
    index = child;
  }
  heap[index] = value;
}
