import type { Destination } from '../destination.ts';
import { explainWalk } from './explain.ts';
import type { Scheduler, SchedulerService } from './scheduler.ts';

/**
 * Weighted overflow: the heaviest destination with no more active connections than its weight, so
 * weight + 1 fit; when all are full the client is refused (ip_vs_ovf.c).
 */
export function weightedOverflow(service: SchedulerService): Scheduler {
  return {
    schedule(_packet, trace) {
      let chosen: Destination | undefined;
      for (const destination of service.destinations) {
        if (!destination.usable || destination.activeConnections > destination.weight) continue;
        if (destination.weight > (chosen?.weight ?? 0)) chosen = destination;
      }
      if (trace !== undefined)
        explainWalk(
          trace,
          service.destinations,
          chosen,
          'heaviest that is not full',
          (one) => one.activeConnections,
        );
      return chosen;
    },
  };
}
