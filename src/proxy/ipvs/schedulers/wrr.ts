import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';
import { greatestCommonDivisor } from '../hashing.ts';
import { explainWalk } from './explain.ts';
import type { Scheduler, SchedulerPacket, SchedulerService } from './scheduler.ts';

/**
 * Weighted round robin (ip_vs_wrr.c): passes over the list with a falling weight limit; a destination of
 * weight W is taken once in each pass whose limit is W or less. Every control operation restarts the walk
 * at the head with the limit of the moment.
 */
export class WeightedRoundRobin implements Scheduler {
  readonly #service: SchedulerService;
  /** Chosen last; undefined: the head of the list. */
  #last: Destination | undefined;
  /** The limit of this pass (cw). */
  #limit: number;
  /** Where the limit starts again (mw). */
  #maxLimit = 0;
  /** The greatest common divisor of the weights: how far the limit falls each pass (di). */
  #step = 1;

  constructor(service: SchedulerService) {
    this.#service = service;
    this.#measure();
    this.#limit = this.#maxLimit;
  }

  schedule(_packet: SchedulerPacket, trace?: DecisionTrace): Destination | undefined {
    const chosen = this.#maxLimit === 0 ? undefined : this.#walk();
    if (trace !== undefined) {
      const reason = `next one of weight ${this.#limit} or more`;
      explainWalk(trace, this.#service.destinations, chosen, reason);
    }
    return chosen;
  }

  addDest(): void {
    this.#restart();
  }

  updateDest(): void {
    this.#restart();
  }

  removeDest(): void {
    this.#restart();
  }

  #measure(): void {
    let divisor = 0;
    let heaviest = 0;
    for (const { weight } of this.#service.destinations) {
      if (weight > 0) divisor = greatestCommonDivisor(divisor, weight);
      heaviest = Math.max(heaviest, weight);
    }
    this.#step = divisor === 0 ? 1 : divisor;
    this.#maxLimit = heaviest - (this.#step - 1);
  }

  #restart(): void {
    this.#last = undefined;
    this.#measure();
    if (this.#limit > this.#maxLimit || this.#limit === 0) this.#limit = this.#maxLimit;
    else if (this.#step > 1) this.#limit = Math.floor(this.#limit / this.#step) * this.#step + 1;
  }

  /** Gives up, and remembers where, when every destination of a weight is overloaded. */
  #walk(): Destination | undefined {
    const list = this.#service.destinations;
    const start = this.#last;
    let index = start === undefined ? 0 : start.position + 1;
    let stop: Destination | undefined;
    let restarted = false;
    let lastPass = false;
    for (;;) {
      for (; index < list.length; index += 1) {
        const destination = list[index];
        if (destination === undefined) break;
        if (!destination.overloaded && destination.weight >= this.#limit)
          return (this.#last = destination);
        if (destination === stop) {
          this.#last = destination;
          return undefined;
        }
      }
      index = 0;
      this.#limit -= this.#step;
      if (this.#limit <= 0) {
        this.#limit = this.#maxLimit;
        if (lastPass || start === undefined) {
          this.#last = undefined;
          return undefined;
        }
        restarted = true;
      }
      lastPass = this.#limit <= this.#step;
      if (lastPass && restarted) stop = start;
    }
  }
}
