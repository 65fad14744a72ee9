import { setMaxListeners } from 'node:events';
import { errorMessage } from './errors.ts';

/**
 * The two endings of everything that holds a socket, a timer or a child: `close` lets work in progress
 * finish, `[Symbol.asyncDispose]` ends it now. Both are idempotent and resolve once everything is released.
 */
export interface Resource extends AsyncDisposable {
  close(): Promise<void>;
}

type Release = () => void | PromiseLike<void>;

const open = new Set<Lifetime>();

/** Names of lifetimes that were not ended. A test that leaves one behind has leaked. */
export function openLifetimes(): string[] {
  return [...open].map((lifetime) => lifetime.name);
}

/**
 * Owns resources and ends them in reverse order of acquisition. `signal` aborts when the end begins.
 * Errors while ending do not stop the rest; they are thrown together at the end.
 */
export class Lifetime implements Resource {
  readonly name: string;
  readonly #controller = new AbortController();
  readonly #releases: { drain: Release; end: Release }[] = [];
  #ending: Promise<void> | undefined;

  constructor(name: string) {
    this.name = name;
    // Whatever ends with it listens: every request of a server, say. That many are no leak.
    setMaxListeners(0, this.signal);
    open.add(this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get ended(): boolean {
    return this.#ending !== undefined;
  }

  /** Takes ownership and returns the resource. */
  own<T extends Resource>(resource: T): T {
    this.#add({ drain: () => resource.close(), end: () => resource[Symbol.asyncDispose]() });
    return resource;
  }

  /** Runs `release` at the end, however it comes. */
  defer(release: Release): void {
    this.#add({ drain: release, end: release });
  }

  close(): Promise<void> {
    return this.#finish('drain');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#finish('end');
  }

  #add(entry: { drain: Release; end: Release }): void {
    if (this.#ending !== undefined)
      throw new Error(`${this.name} has ended and cannot own anything more`);
    this.#releases.push(entry);
  }

  #finish(how: 'drain' | 'end'): Promise<void> {
    this.#ending ??= this.#release(how);
    return this.#ending;
  }

  async #release(how: 'drain' | 'end'): Promise<void> {
    this.#controller.abort(new Error(`${this.name} ended`));
    const errors: unknown[] = [];
    for (let entry = this.#releases.pop(); entry !== undefined; entry = this.#releases.pop()) {
      try {
        await entry[how]();
      } catch (error) {
        errors.push(error);
      }
    }
    open.delete(this);
    if (errors.length > 0)
      throw new AggregateError(errors, `${this.name}: ${errors.map(errorMessage).join('; ')}`);
  }
}
