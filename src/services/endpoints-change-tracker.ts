import type { EndpointSlice } from '../api/types/discovery.ts';
import { SERVICE_NAME_LABEL } from '../api/types/discovery.ts';
import { EndpointSliceCache, type EndpointsByPort } from './endpoint-slice-cache.ts';
import { isForThisProxy } from './service-port-info.ts';
import { serviceKey } from './service-port-name.ts';

/** When the controller saw what made it write the slice; feeds network_programming_duration_seconds. */
const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';

/** What became of the endpoints of one Service since the last checkout. */
export interface EndpointsChange {
  readonly current: EndpointsByPort;
  /** Unix milliseconds of the earliest cause that the slices name. */
  readonly triggeredAtMs?: number;
}

/** Accumulates EndpointSlice events between two tables (pkg/proxy/endpointschangetracker.go). */
export class EndpointsChangeTracker {
  readonly #cache = new EndpointSliceCache();
  readonly #nodeName: string;
  readonly #startedAtMs: number;
  #changed = new Map<string, number | undefined>();

  /** Causes from before `startedAtMs` (Unix milliseconds) are not this proxy's delay. */
  constructor(options: { readonly nodeName: string; readonly startedAtMs?: number }) {
    this.#nodeName = options.nodeName;
    this.#startedAtMs = options.startedAtMs ?? 0;
  }

  /** Notes one event. True when it changed something; slices of no Service are ignored. */
  update(slice: EndpointSlice, removed = false): boolean {
    const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (name === undefined || name === '' || slice.addressType === 'FQDN') return false;
    const service = serviceKey({ namespace: slice.metadata.namespace, name });
    const gone = removed || !isForThisProxy(slice.metadata.labels);
    if (!this.#cache.update(service, slice, gone)) return false;
    this.#changed.set(service, this.#earliest(service, gone ? undefined : triggerTime(slice)));
    return true;
  }

  /** How many Services have pending slices. */
  get pending(): number {
    return this.#changed.size;
  }

  /** Makes the pending slices current and hands over what they come to, by `namespace/name`. */
  checkout(): ReadonlyMap<string, EndpointsChange> {
    const changes = new Map<string, EndpointsChange>();
    for (const [service, triggeredAtMs] of this.#changed) {
      this.#cache.apply(service);
      const current = this.endpoints(service);
      changes.set(service, triggeredAtMs === undefined ? { current } : { current, triggeredAtMs });
    }
    this.#changed = new Map();
    return changes;
  }

  /** The endpoints of a Service as of the last checkout. */
  endpoints(service: string): EndpointsByPort {
    return this.#cache.applied(service, this.#nodeName);
  }

  #earliest(service: string, triggeredAtMs: number | undefined): number | undefined {
    const known = this.#changed.get(service);
    if (triggeredAtMs === undefined || triggeredAtMs <= this.#startedAtMs) return known;
    return known === undefined ? triggeredAtMs : Math.min(known, triggeredAtMs);
  }
}

function triggerTime(slice: EndpointSlice): number | undefined {
  const text = slice.metadata.annotations?.[TRIGGER_TIME_ANNOTATION];
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
