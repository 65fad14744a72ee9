import type { Destination } from '../destination.ts';
import { explainWalk } from './explain.ts';
import type { Scheduler, SchedulerService } from './scheduler.ts';

/** Shortest expected delay: the least (active + 1) / weight; inactive ones are nothing (ip_vs_sed.c). */
export function shortestExpectedDelay(service: SchedulerService): Scheduler {
  return {
    schedule(_packet, trace) {
      const chosen = shortestDelay(service.destinations);
      if (trace !== undefined)
        explainWalk(trace, service.destinations, chosen, 'least (active + 1) / weight', delay);
      return chosen;
    },
  };
}

/** sed's choice, which nq falls back on. */
export function shortestDelay(destinations: readonly Destination[]): Destination | undefined {
  let chosen: Destination | undefined;
  let leastDelay = 0;
  let leastWeight = 0;
  for (const destination of destinations) {
    if (!destination.usable) continue;
    const weight = destination.weight;
    const load = delay(destination);
    if (chosen !== undefined && leastDelay * weight <= load * leastWeight) continue;
    chosen = destination;
    leastDelay = load;
    leastWeight = weight;
  }
  return chosen;
}

/** The delay a further connection would see, times the weight. */
export function delay(destination: Destination): number {
  return destination.activeConnections + 1;
}
