import type { Random } from '../../base/random.ts';
import {
  copyId,
  hashQuery,
  layoutOfReply,
  sameQuery,
  swapAddresses,
  type ReplyLayout,
} from '../../wire/dns.ts';
import type { Reuse } from '../plugin/reuse.ts';

/** Slots in all; a power of two. Full of one-off names it holds about 30 MB. */
const SLOTS = 1 << 16;
/** A query may live in any of this many slots; when all are taken, one is overwritten. */
const WAYS = 4;
/** Bigger replies are rare and would make the bound above a lie. */
const MAX_REPLY_BYTES = 4096;
const MAX_QUERY_BYTES = 300;

interface Entry {
  readonly hash: number;
  readonly query: Buffer;
  readonly reply: Buffer;
  readonly reuse: Reuse;
  readonly layout: ReplyLayout;
  readonly ttls: readonly number[];
  agedSeconds: number;
}

/**
 * Replies in their final bytes, by the bytes of the query: the hot path. An entry is used only while
 * everything it was computed from is unchanged (see {@link Reuse}). Fixed size, random replacement.
 */
export class AnswerCache {
  readonly #entries: (Entry | undefined)[] = new Array<Entry | undefined>(SLOTS).fill(undefined);
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * The reply to send, with the query's id, or undefined. The buffer is the cache's own and will be
   * changed by the next call: send it now, or copy it.
   */
  find(packet: Buffer, now: number): CachedReply | undefined {
    const hash = hashQuery(packet);
    const first = hash & (SLOTS - 1) & ~(WAYS - 1);
    for (let slot = first; slot < first + WAYS; slot += 1) {
      const entry = this.#entries[slot];
      if (entry === undefined || entry.hash !== hash || !sameQuery(entry.query, packet)) continue;
      if (!isCurrent(entry.reuse, now)) {
        this.#entries[slot] = undefined;
        return undefined;
      }
      if (entry.reuse.ttlsFrom !== undefined) ageTtls(entry, entry.reuse.ttlsFrom, now);
      if (entry.reuse.shuffles) this.#shuffle(entry);
      copyId(packet, entry.reply);
      return entry;
    }
    return undefined;
  }

  store(packet: Buffer, reply: Buffer, reuse: Reuse, now: number): void {
    if (!reuse.allowed || reply.length > MAX_REPLY_BYTES || packet.length > MAX_QUERY_BYTES) return;
    if (!isCurrent(reuse, now)) return;
    const layout = layoutOfReply(reply);
    if (reuse.shuffles && layout.mixedAddresses) return;
    const hash = hashQuery(packet);
    const entry: Entry = {
      hash,
      query: Buffer.from(packet),
      reply,
      reuse,
      layout,
      ttls: layout.ttlOffsets.map((offset) => reply.readUInt32BE(offset)),
      agedSeconds: 0,
    };
    this.#entries[this.#slotFor(entry)] = entry;
  }

  clear(): void {
    this.#entries.fill(undefined);
  }

  #slotFor(entry: Entry): number {
    const first = entry.hash & (SLOTS - 1) & ~(WAYS - 1);
    let free: number | undefined;
    for (let slot = first; slot < first + WAYS; slot += 1) {
      const there = this.#entries[slot];
      if (there === undefined) free ??= slot;
      else if (there.hash === entry.hash && sameQuery(there.query, entry.query)) return slot;
    }
    return free ?? first + this.#random.below(WAYS);
  }

  #shuffle(entry: Entry): void {
    for (const run of entry.layout.addressRuns)
      for (let last = run.count - 1; last > 0; last -= 1)
        swapAddresses(entry.reply, run, last, this.#random.below(last + 1));
  }
}

export interface CachedReply {
  readonly reply: Buffer;
  readonly reuse: Reuse;
}

function isCurrent(reuse: Reuse, now: number): boolean {
  if (now >= reuse.expiresAt) return false;
  for (const { stamps, slot, seen } of reuse.dependencies)
    if (stamps.at(slot) !== seen) return false;
  return true;
}

/** Counts TTLs down by whole seconds since they were right; at most once a second for each entry. */
function ageTtls(entry: Entry, from: number, now: number): void {
  const seconds = Math.floor((now - from) / 1000);
  if (seconds === entry.agedSeconds) return;
  entry.agedSeconds = seconds;
  for (const [index, offset] of entry.layout.ttlOffsets.entries())
    entry.reply.writeUInt32BE(Math.max(0, (entry.ttls[index] ?? 0) - seconds), offset);
}
