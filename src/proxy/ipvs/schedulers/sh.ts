import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';
import { foldAddress, hash32 } from '../hashing.ts';
import { explainChoice } from './explain.ts';
import type { Scheduler, SchedulerPacket, SchedulerService } from './scheduler.ts';

const TABLE_BITS = 8;
const TABLE_SIZE = 1 << TABLE_BITS;
const MASK = TABLE_SIZE - 1;

/**
 * Source hashing (ip_vs_sh.c): each destination owns as many buckets in a row as it has weight, one even
 * with weight 0, round and round until 256 are given out. Without fallback an unusable owner refuses.
 */
export class SourceHashing implements Scheduler {
  readonly #service: SchedulerService;
  readonly #table: (Destination | undefined)[] = new Array(TABLE_SIZE);

  constructor(service: SchedulerService) {
    this.#service = service;
    this.#build();
  }

  schedule(packet: SchedulerPacket, trace?: DecisionTrace): Destination | undefined {
    const flags = this.#service.schedulerFlags;
    const input =
      (foldAddress(packet.source.address) + (flags.port ? packet.source.port : 0)) >>> 0;
    const slot = hash32(input, TABLE_BITS);
    const owner = this.#table[slot];
    if (trace !== undefined) {
      const name = owner?.name;
      trace.push({ kind: 'hash', hash: 'hash_32', input, slot, slots: TABLE_SIZE, owner: name });
    }
    if (owner?.usable === true || !flags.fallback) {
      const chosen = owner?.usable === true ? owner : undefined;
      if (trace !== undefined) explainChoice(trace, chosen, 'owns the bucket of the source');
      return chosen;
    }
    return this.#fallBack(slot, trace);
  }

  addDest(): void {
    this.#build();
  }

  updateDest(): void {
    this.#build();
  }

  removeDest(): void {
    this.#build();
  }

  /** Tries all buckets; the kernel's arithmetic makes it start at twice the hash. */
  #fallBack(slot: number, trace: DecisionTrace | undefined): Destination | undefined {
    let chosen: Destination | undefined;
    for (let offset = 0; offset < TABLE_SIZE && chosen === undefined; offset += 1) {
      const owner = this.#table[(2 * slot + offset) & MASK];
      if (owner?.usable === true) chosen = owner;
    }
    if (trace !== undefined)
      explainChoice(trace, chosen, `first usable bucket from ${(2 * slot) & MASK} on`);
    return chosen;
  }

  #build(): void {
    const list = this.#service.destinations;
    this.#table.fill(undefined);
    if (list.length === 0) return;
    let turn = 0;
    let given = 0;
    for (let bucket = 0; bucket < TABLE_SIZE; bucket += 1) {
      const owner = list[turn];
      this.#table[bucket] = owner;
      given += 1;
      if (given < (owner?.weight ?? 0)) continue;
      turn = (turn + 1) % list.length;
      given = 0;
    }
  }
}
