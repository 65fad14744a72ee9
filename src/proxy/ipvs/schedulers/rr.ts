import type { Destination } from '../destination.ts';
import { explainWalk } from './explain.ts';
import type { Scheduler, SchedulerService } from './scheduler.ts';

/** Round robin over the usable destinations, weights aside (ip_vs_rr.c). */
export function roundRobin(service: SchedulerService): Scheduler {
  /** Chosen last; undefined: the list's head, that is before the first. */
  let last: Destination | undefined;

  const next = (): Destination | undefined => {
    const list = service.destinations;
    const start = last === undefined ? 0 : last.position + 1;
    for (let index = start; index < list.length; index += 1)
      if (list[index]?.usable === true) return list[index];
    for (let index = 0; index < start; index += 1)
      if (list[index]?.usable === true) return list[index];
    return undefined;
  };

  return {
    schedule(_packet, trace) {
      const previous = last;
      const chosen = next();
      if (chosen !== undefined) last = chosen;
      if (trace !== undefined) {
        const reason = `next usable one after ${previous?.name ?? 'the head of the list'}`;
        explainWalk(trace, service.destinations, chosen, reason);
      }
      return chosen;
    },
    removeDest(destination) {
      // The one that would have come next still comes next.
      if (destination === last) last = service.destinations[destination.position - 1];
    },
  };
}
