import type { Clock } from '../../../base/clock.ts';

/** A direction that is silent for a whole round gives its buffers back. */
const ROUND_MS = 5000;
/** A round is spread over turns, so that nobody waits for it. */
const VISITS_A_TURN = 64;

/** See {@link RingDirection.restIfSilent}. */
interface MayRest {
  restIfSilent(): boolean;
}

/** What is asked of a conversation. */
export interface MayRestBothWays {
  readonly state: string;
  readonly up: MayRest | undefined;
  readonly down: MayRest | undefined;
}

/**
 * Goes round the conversations and has those rest that are silent: what waits for bytes through an io_uring holds a
 * buffer meanwhile, which is most of what an idle connection costs. Ends when all rest, until something happens again.
 */
export class RestRounds {
  readonly #clock: Clock;
  readonly #conversations: { all(): Iterator<MayRestBothWays> };
  /** The round under way. */
  #visits: Iterator<MayRestBothWays> | undefined;
  #nextAt = 0;
  /** Some may hold buffers. */
  #awake = false;

  constructor(clock: Clock, conversations: { all(): Iterator<MayRestBothWays> }) {
    this.#clock = clock;
    this.#conversations = conversations;
  }

  /** How long the thread may wait that would have waited so long; -1 is for ever. */
  timeoutMs(wantedMs: number): number {
    if (this.#visits !== undefined) return 0;
    return this.#awake && wantedMs === -1 ? ROUND_MS : wantedMs;
  }

  /** After each turn, in which so much has happened. */
  turn(happened: number): void {
    if (happened > 0) this.#awake = true;
    this.#visits ??= this.#begin();
    for (let left = VISITS_A_TURN; left > 0 && this.#visits !== undefined; left -= 1) {
      const { done, value } = this.#visits.next();
      if (done === true) this.#visits = undefined;
      else if (visit(value)) this.#awake = true;
    }
  }

  #begin(): Iterator<MayRestBothWays> | undefined {
    if (!this.#awake) return undefined;
    const now = this.#clock.now();
    if (now < this.#nextAt) return undefined;
    this.#nextAt = now + ROUND_MS;
    this.#awake = false;
    return this.#conversations.all();
  }
}

/** True: it holds buffers. */
function visit({ state, up, down }: MayRestBothWays): boolean {
  if (state !== 'forwarding') return false;
  const upHolds = up?.restIfSilent() === true;
  return down?.restIfSilent() === true || upHolds;
}
