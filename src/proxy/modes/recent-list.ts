import type { ClientMemory } from './affinity-memory.ts';

/** xt_recent's ip_list_tot: how many addresses one list remembers. */
const MAX_ADDRESSES = 100;

/**
 * One list of the `recent` match, which iptables mode keeps for each endpoint with session affinity: client
 * addresses and when each was last sent there. A full list forgets the address not renewed for longest.
 */
export class RecentList implements ClientMemory {
  /** Least recently renewed first, as a Map keeps the order of insertion. */
  readonly #stamps = new Map<string, number>();

  /** `--rcheck --seconds --reap`: true when `client` was noted at most `windowMs` ago. */
  has(client: string, nowMs: number, windowMs: number): boolean {
    const stamp = this.#stamps.get(client);
    const hit = stamp !== undefined && nowMs - stamp <= windowMs;
    this.#reapOldest(nowMs - windowMs);
    return hit;
  }

  /** `--set`. */
  note(client: string, nowMs: number): void {
    this.#stamps.delete(client);
    if (this.#stamps.size >= MAX_ADDRESSES)
      for (const oldest of this.#stamps.keys()) {
        this.#stamps.delete(oldest);
        break;
      }
    this.#stamps.set(client, nowMs);
  }

  /** The kernel looks at one entry a check, the oldest. */
  #reapOldest(deadline: number): void {
    for (const [client, stamp] of this.#stamps) {
      if (stamp < deadline) this.#stamps.delete(client);
      return;
    }
  }
}
