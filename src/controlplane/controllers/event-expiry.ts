import { isApiError } from '../../api/status-errors.ts';
import type { Event } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import { type ReconcileResult, startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';

/** --event-ttl. */
const TTL_MS = 3_600_000;
/** Beyond this many the oldest go early: events must not fill the memory. */
const MAX_EVENTS = 10_000;

/** Events live for an hour after they were last seen; etcd leases do it in the real thing. */
export function startEventExpiry(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'event-expiry');
  const events = informers.of('events');
  /** In the order of arrival. */
  const arrivals = new Set<string>();

  return startController({
    name: 'event-expiry',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      events.subscribe((current, previous) => {
        const object = current ?? previous;
        if (object === undefined) return;
        const key = objectKey(object);
        if (current === undefined) arrivals.delete(key);
        else if (previous === undefined) {
          arrivals.add(key);
          queue.add(key);
          const [oldest] = arrivals;
          if (arrivals.size > MAX_EVENTS && oldest !== undefined) queue.add(oldest);
        }
      }),
    ],
    reconcile,
  });

  async function reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { namespace, name } = splitKey(key);
    const event = events.get(name, namespace);
    if (event === undefined) return undefined;
    const leftMs = lastSeenMs(event) + TTL_MS - clock.wallNow();
    const [oldest] = arrivals;
    if (leftMs > 0 && !(arrivals.size > MAX_EVENTS && oldest === key)) return { afterMs: leftMs };
    try {
      await tools.client.resource('events').delete(name, namespace);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    return undefined;
  }
}

function lastSeenMs(event: Event): number {
  const text =
    event.series?.lastObservedTime ??
    event.lastTimestamp ??
    event.eventTime ??
    event.metadata.creationTimestamp;
  return text === undefined || text === null ? 0 : Date.parse(text);
}
