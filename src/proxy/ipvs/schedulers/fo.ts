import type { Destination } from '../destination.ts';
import { explainWalk } from './explain.ts';
import type { Scheduler, SchedulerService } from './scheduler.ts';

/** Weighted failover: everything to the heaviest usable destination (ip_vs_fo.c). */
export function weightedFailover(service: SchedulerService): Scheduler {
  return {
    schedule(_packet, trace) {
      let chosen: Destination | undefined;
      for (const destination of service.destinations)
        if (destination.usable && destination.weight > (chosen?.weight ?? 0)) chosen = destination;
      if (trace !== undefined) explainWalk(trace, service.destinations, chosen, 'heaviest');
      return chosen;
    },
  };
}
