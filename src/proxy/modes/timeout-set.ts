import type { ClientMemory } from './affinity-memory.ts';

/** What the kernel gives a dynamic set that names no size. */
const MAX_ELEMENTS = 65_535;

/**
 * A dynamic nftables set with a timeout, which nftables mode keeps for each endpoint with session affinity.
 * A full set takes nobody more until something expires: such clients are balanced anew each time.
 */
export class TimeoutSet implements ClientMemory {
  /** Expiry by client, soonest first while the timeout stays the same. */
  readonly #expiry = new Map<string, number>();

  has(client: string, nowMs: number): boolean {
    const expiresAtMs = this.#expiry.get(client);
    return expiresAtMs !== undefined && nowMs < expiresAtMs;
  }

  /** The `update` statement. */
  note(client: string, nowMs: number, windowMs: number): void {
    this.#expiry.delete(client);
    if (this.#expiry.size >= MAX_ELEMENTS) this.#collect(nowMs);
    if (this.#expiry.size < MAX_ELEMENTS) this.#expiry.set(client, nowMs + windowMs);
  }

  #collect(nowMs: number): void {
    for (const [client, expiresAtMs] of this.#expiry)
      if (expiresAtMs <= nowMs) this.#expiry.delete(client);
  }
}
