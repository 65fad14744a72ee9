import { explainWalk } from './explain.ts';
import { delay, shortestDelay } from './sed.ts';
import type { Scheduler, SchedulerService } from './scheduler.ts';

/** Never queue: the first idle destination, whatever its weight; if all are busy as sed (ip_vs_nq.c). */
export function neverQueue(service: SchedulerService): Scheduler {
  return {
    schedule(_packet, trace) {
      const idle = service.destinations.find((one) => one.usable && one.activeConnections === 0);
      const chosen = idle ?? shortestDelay(service.destinations);
      if (trace !== undefined) {
        const reason = idle === undefined ? 'least (active + 1) / weight' : 'first idle one';
        explainWalk(trace, service.destinations, chosen, reason, delay);
      }
      return chosen;
    },
  };
}
