import type { Destination } from '../destination.ts';
import { explainWalk } from './explain.ts';
import { activeCost } from './overhead.ts';
import type { Scheduler, SchedulerContext, SchedulerService } from './scheduler.ts';

/** Least connections: the least load, weights aside (ip_vs_lc.c). */
export function leastConnection(service: SchedulerService, context: SchedulerContext): Scheduler {
  const cost = activeCost(context.kernel);

  const least = (): Destination | undefined => {
    let chosen: Destination | undefined;
    let leastLoad = Infinity;
    for (const destination of service.destinations) {
      if (!destination.usable) continue;
      const load = destination.activeConnections * cost + destination.totalConnections;
      if (load >= leastLoad) continue;
      chosen = destination;
      leastLoad = load;
    }
    return chosen;
  };

  return {
    schedule(_packet, trace) {
      const chosen = least();
      if (trace !== undefined)
        explainWalk(
          trace,
          service.destinations,
          chosen,
          'least load, first in the list',
          (one) => one.activeConnections * cost + one.totalConnections,
        );
      return chosen;
    },
  };
}
