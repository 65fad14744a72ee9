import type { Random } from '../../base/random.ts';
import {
  copyId,
  hashQuery,
  layoutOfReply,
  sameQuery,
  swapAddresses,
  type ReplyLayout,
} from '../../wire/dns.ts';
import type { Reuse, ReuseEffect } from '../plugin/reuse.ts';
import { Stamps } from '../plugin/stamps.ts';

/** Slots in all; a power of two. Full of one-off names it holds about 30 MB. */
const SLOTS = 1 << 16;
/** A query may live in any of this many slots; when all are taken, one is overwritten. */
const WAYS = 4;
/** Bigger replies are rare and would make the bound above a lie. */
const MAX_REPLY_BYTES = 4096;
const MAX_QUERY_BYTES = 300;
/** Before the first change that could be counted. */
const NEVER = -1;

interface Entry {
  readonly query: Buffer;
  readonly reply: Buffer;
  readonly dependencies: Reuse['dependencies'];
  readonly effects: readonly ReuseEffect[];
  readonly expiresAt: number;
  readonly ttlsFrom: number | undefined;
  readonly shuffles: boolean;
  readonly layout: ReplyLayout;
  readonly ttls: readonly number[];
  agedSeconds: number;
  /** {@link Stamps.changes} when the dependencies were last looked at. */
  checkedAt: number;
}

/**
 * Replies in their final bytes, by the bytes of the query: the hot path. An entry is used only while
 * everything it was computed from is unchanged (see {@link Reuse}). Fixed size, random replacement. With
 * thousands of names most of a hit is waiting for memory, so it touches as few objects as it can.
 */
export class AnswerCache {
  readonly #hashes = new Uint32Array(SLOTS);
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
      if (this.#hashes[slot] !== hash) continue;
      const entry = this.#entries[slot];
      if (entry === undefined || !sameQuery(entry.query, packet)) continue;
      if (!isCurrent(entry, now)) {
        this.#entries[slot] = undefined;
        return undefined;
      }
      if (entry.ttlsFrom !== undefined) ageTtls(entry, entry.ttlsFrom, now);
      if (entry.shuffles) this.#shuffle(entry);
      copyId(packet, entry.reply);
      return entry;
    }
    return undefined;
  }

  store(packet: Buffer, reply: Buffer, reuse: Reuse, now: number): void {
    if (!reuse.allowed || reply.length > MAX_REPLY_BYTES || packet.length > MAX_QUERY_BYTES) return;
    const { dependencies, effects, expiresAt, ttlsFrom, shuffles } = reuse;
    const layout = layoutOfReply(reply);
    if (shuffles && layout.mixedAddresses) return;
    const entry: Entry = {
      query: Buffer.from(packet),
      reply,
      dependencies,
      effects,
      expiresAt,
      ttlsFrom,
      shuffles,
      layout,
      ttls: layout.ttlOffsets.map((offset) => reply.readUInt32BE(offset)),
      agedSeconds: 0,
      checkedAt: NEVER,
    };
    if (!isCurrent(entry, now)) return;
    const hash = hashQuery(packet);
    const slot = this.#slotFor(hash, packet);
    this.#entries[slot] = entry;
    this.#hashes[slot] = hash;
  }

  clear(): void {
    this.#entries.fill(undefined);
  }

  #slotFor(hash: number, packet: Buffer): number {
    const first = hash & (SLOTS - 1) & ~(WAYS - 1);
    let free: number | undefined;
    for (let slot = first; slot < first + WAYS; slot += 1) {
      const there = this.#entries[slot];
      if (there === undefined) free ??= slot;
      else if (this.#hashes[slot] === hash && sameQuery(there.query, packet)) return slot;
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
  readonly effects: readonly ReuseEffect[];
}

/** Each dependency is looked at only after something somewhere has changed. */
function isCurrent(entry: Entry, now: number): boolean {
  if (now >= entry.expiresAt) return false;
  const { changes } = Stamps;
  if (entry.checkedAt === changes) return true;
  for (const { stamps, slot, seen } of entry.dependencies)
    if (stamps.at(slot) !== seen) return false;
  entry.checkedAt = changes;
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
