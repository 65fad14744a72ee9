import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';
import { foldAddress, greatestCommonDivisor, hsiphash } from '../hashing.ts';
import { explainChoice } from './explain.ts';
import type { Scheduler, SchedulerPacket, SchedulerService } from './scheduler.ts';

/** The prime of CONFIG_IP_VS_MH_TAB_INDEX=12, the default. */
const TABLE_SIZE = 4093;
/** A destination gets at most 2^6 slots a turn: half the table's index. */
const TURN_BITS = 6;
/** The kernel's constants: tables are the same on every node. */
const OFFSET_KEY = 2_654_435_761;
const SKIP_KEY = 2_654_446_892;

/**
 * Maglev hashing (ip_vs_mh.c). Slots follow the last weight that was not 0, so draining moves no client:
 * the drained destination keeps its slots and, without fallback, refuses them.
 */
export class MaglevHashing implements Scheduler {
  readonly #service: SchedulerService;
  readonly #table: (Destination | undefined)[] = new Array(TABLE_SIZE);

  constructor(service: SchedulerService) {
    this.#service = service;
    this.#build();
  }

  /** The owner of each slot; what a table dump shows. */
  get slots(): readonly (Destination | undefined)[] {
    return this.#table;
  }

  schedule(packet: SchedulerPacket, trace?: DecisionTrace): Destination | undefined {
    const flags = this.#service.schedulerFlags;
    const input =
      (foldAddress(packet.source.address) + (flags.port ? packet.source.port : 0)) >>> 0;
    const slot = hsiphash(OFFSET_KEY, input) % TABLE_SIZE;
    const owner = this.#table[slot];
    if (trace !== undefined) {
      const name = owner?.name;
      trace.push({ kind: 'hash', hash: 'hsiphash', input, slot, slots: TABLE_SIZE, owner: name });
    }
    if (owner?.usable === true || !flags.fallback) {
      const chosen = owner?.usable === true ? owner : undefined;
      if (trace !== undefined) explainChoice(trace, chosen, 'owns the slot of the source');
      return chosen;
    }
    return this.#fallBack(input, slot, trace);
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

  /** Hashes again with an offset, beginning with the slot's own number, until a usable owner is met. */
  #fallBack(
    input: number,
    slot: number,
    trace: DecisionTrace | undefined,
  ): Destination | undefined {
    let chosen: Destination | undefined;
    for (let round = 0; round < TABLE_SIZE && chosen === undefined; round += 1) {
      const offset = (round + slot) % TABLE_SIZE;
      const owner = this.#table[hsiphash(OFFSET_KEY, (input + offset) >>> 0) % TABLE_SIZE];
      if (owner?.usable === true) chosen = owner;
    }
    if (trace !== undefined) explainChoice(trace, chosen, 'first usable one by hashing again');
    return chosen;
  }

  #build(): void {
    const table = this.#table.fill(undefined);
    const claims = claimsOf(this.#service.destinations);
    if (claims.length === 0) return;
    let claimed = 0;
    for (;;) {
      for (const claim of claims) {
        for (let turn = 0; turn < claim.turns; turn += 1) {
          while (table[claim.next] !== undefined) claim.advance();
          table[claim.next] = claim.destination;
          claimed += 1;
          if (claimed === TABLE_SIZE) return;
        }
      }
    }
  }
}

/** A destination's walk through its own permutation of the slots. */
class Claim {
  readonly destination: Destination;
  readonly turns: number;
  readonly #skip: number;
  next: number;

  constructor(destination: Destination, turns: number) {
    const value = (destination.port + destination.foldedAddress) >>> 0;
    this.destination = destination;
    this.turns = turns;
    this.next = hsiphash(OFFSET_KEY, value) % TABLE_SIZE;
    this.#skip = (hsiphash(SKIP_KEY, value) % (TABLE_SIZE - 1)) + 1;
  }

  advance(): void {
    this.next += this.#skip;
    if (this.next >= TABLE_SIZE) this.next -= TABLE_SIZE;
  }
}

/** Those that take part, in list order, which decides conflicts. */
function claimsOf(destinations: readonly Destination[]): Claim[] {
  let divisor = 0;
  let heaviest = 0;
  for (const { lastWeight } of destinations) {
    if (lastWeight > 0) divisor = greatestCommonDivisor(divisor, lastWeight);
    heaviest = Math.max(heaviest, lastWeight);
  }
  if (divisor === 0) return [];
  const bits = 32 - Math.clz32(heaviest / divisor);
  const shift = Math.max(0, bits - TURN_BITS);
  return destinations
    .filter(({ lastWeight }) => lastWeight > 0)
    .map((one) => new Claim(one, Math.max(1, (one.lastWeight / divisor) >>> shift)));
}
