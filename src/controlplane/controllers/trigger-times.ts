import type { Pod, Service } from '../../api/types/core.ts';
import { podCondition } from './pod-facts.ts';

/** Says when what made the controller write began; proxies and DNS measure from it until it is in effect. */
const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';

interface Seen {
  readonly service: number;
  /** When each pod last became ready or stopped being so, by name. */
  readonly pods: ReadonlyMap<string, number>;
}

/**
 * When the changes began that a Service's endpoints are written for (k8s.io/endpointslice TriggerTimeTracker): the
 * oldest of those not seen before. One for each controller; a Service is forgotten when it goes.
 */
export class TriggerTimes {
  readonly #seen = new Map<string, Seen>();

  /** As the annotation has it; undefined where nothing with a time has changed since the last call. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#seen.get(key);
    const now: Seen = {
      service: timeOf(service.metadata.creationTimestamp),
      pods: readyTimes(pods),
    };
    this.#seen.set(key, now);
    const at = before === undefined ? now.service : oldestNew(before, now);
    return Number.isFinite(at) ? new Date(at).toISOString().replace('.000Z', 'Z') : undefined;
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

function oldestNew(before: Seen, now: Seen): number {
  const changed = [...now.pods].flatMap(([name, at]) =>
    at > (before.pods.get(name) ?? -Infinity) ? [at] : [],
  );
  if (now.service > before.service) changed.push(now.service);
  return Math.min(...changed);
}

function readyTimes(pods: readonly Pod[]): ReadonlyMap<string, number> {
  return new Map(
    pods.flatMap((pod) => {
      const at = timeOf(podCondition(pod, 'Ready')?.lastTransitionTime);
      return Number.isNaN(at) ? [] : [[pod.metadata.name ?? '', at]];
    }),
  );
}

function timeOf(text: string | null | undefined): number {
  return text === undefined || text === null ? Number.NaN : Date.parse(text);
}

/** The annotations with the time of this change, or without any. */
export function withTriggerTime(
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined,
): Record<string, string> {
  const { [TRIGGER_TIME_ANNOTATION]: _previous, ...others } = annotations ?? {};
  return time === undefined ? others : { ...others, [TRIGGER_TIME_ANNOTATION]: time };
}
