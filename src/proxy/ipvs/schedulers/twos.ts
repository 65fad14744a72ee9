import type { Destination } from '../destination.ts';
import { explainWalk } from './explain.ts';
import { activeCost } from './overhead.ts';
import type { Scheduler, SchedulerContext, SchedulerService } from './scheduler.ts';

/**
 * The better of two random choices (ip_vs_twos.c). The draws are from 0 to the sum of weights inclusive,
 * so the first of the list is drawn with one share more than its weight.
 */
export function powerOfTwo(service: SchedulerService, context: SchedulerContext): Scheduler {
  const cost = activeCost(context.kernel);
  const load = (one: Destination): number => one.activeConnections * cost + one.totalConnections;

  const drawn = (draw: number): Destination | undefined => {
    let left = draw;
    for (const destination of service.destinations) {
      if (!destination.usable) continue;
      left -= destination.weight;
      if (left <= 0) return destination;
    }
    return undefined;
  };

  const choose = (): Destination | undefined => {
    let total = 0;
    for (const destination of service.destinations)
      if (destination.usable) total += destination.weight;
    if (total === 0) return undefined;
    const first = drawn(context.random.below(total + 1));
    const second = drawn(context.random.below(total + 1));
    if (first === undefined || second === undefined) return first;
    // The kernel multiplies 32-bit integers here.
    return Math.imul(second.weight, load(first)) > Math.imul(first.weight, load(second))
      ? second
      : first;
  };

  return {
    schedule(_packet, trace) {
      const chosen = choose();
      if (trace !== undefined)
        explainWalk(trace, service.destinations, chosen, 'better of two random ones', load);
      return chosen;
    },
  };
}
