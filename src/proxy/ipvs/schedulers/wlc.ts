import { explainWalk } from './explain.ts';
import { activeCost, leastWeightedLoad } from './overhead.ts';
import type { Scheduler, SchedulerContext, SchedulerService } from './scheduler.ts';

/** Weighted least connections (ip_vs_wlc.c). With no load at all the first of the list wins, whatever its weight. */
export function weightedLeastConnection(
  service: SchedulerService,
  context: SchedulerContext,
): Scheduler {
  const cost = activeCost(context.kernel);
  return {
    schedule(_packet, trace) {
      const chosen = leastWeightedLoad(service.destinations, cost);
      if (trace !== undefined)
        explainWalk(
          trace,
          service.destinations,
          chosen,
          'least load / weight',
          (one) => one.activeConnections * cost + one.totalConnections,
        );
      return chosen;
    },
  };
}
