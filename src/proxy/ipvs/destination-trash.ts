import type { Destination } from './destination.ts';
import { HeapTask, type TimerHeap } from './timer-heap.ts';

const IDLE_MS = 120_000;
const CHECK_INTERVAL_MS = IDLE_MS / 2;

interface TrashedDestination {
  readonly serviceKey: string;
  readonly destination: Destination;
  idleSinceMs: number | undefined;
}

/**
 * Removed destinations that may come back with their counters and connections. They go when nothing has
 * referred to them for 120 s, looked at every 60 s (ip_vs_dest_trash_expire).
 */
export class DestinationTrash {
  readonly #timers: TimerHeap;
  readonly #now: () => number;
  readonly #check = new HeapTask(() => this.#expire());
  #trashed: TrashedDestination[] = [];

  constructor(timers: TimerHeap, now: () => number) {
    this.#timers = timers;
    this.#now = now;
  }

  get size(): number {
    return this.#trashed.length;
  }

  put(serviceKey: string, destination: Destination): void {
    // Also when a check is due: whoever comes into an empty trash starts the interval anew.
    if (this.#trashed.length === 0) this.#timers.restart(this.#check, CHECK_INTERVAL_MS);
    this.#trashed.push({ serviceKey, destination, idleSinceMs: undefined });
  }

  /** Takes the destination of that service out again. */
  take(serviceKey: string, address: string, port: number): Destination | undefined {
    const index = this.#trashed.findIndex(
      (one) =>
        one.destination.port === port &&
        one.destination.address === address &&
        one.serviceKey === serviceKey,
    );
    return index < 0 ? undefined : this.#trashed.splice(index, 1)[0]?.destination;
  }

  #expire(): void {
    const now = this.#now();
    this.#trashed = this.#trashed.filter((one) => {
      if (one.destination.references > 0) return true;
      one.idleSinceMs ??= now;
      return now < one.idleSinceMs + IDLE_MS;
    });
    if (this.#trashed.length > 0) this.#timers.restart(this.#check, CHECK_INTERVAL_MS);
  }
}
