import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../api/types/core.ts';
import { type ServicePortInfo, servicePortInfos } from './service-port-info.ts';
import { serviceKey } from './service-port-name.ts';

/** What became of one Service since the last checkout. Never equal on both sides. */
export interface ServiceChange {
  /** `namespace/name`. */
  readonly service: string;
  readonly previous: readonly ServicePortInfo[];
  readonly current: readonly ServicePortInfo[];
}

/** Accumulates Service events between two tables (pkg/proxy/servicechangetracker.go). */
export class ServiceChangeTracker {
  #changes = new Map<string, ServiceChange>();

  /**
   * Notes one event: `previous` is undefined for an added Service, `current` for a deleted one. When the
   * Service is back where the last table has it, nothing is left to do. True while anything is pending.
   */
  update(previous: Service | undefined, current: Service | undefined): boolean {
    const subject = current ?? previous;
    if (subject === undefined) return this.pending > 0;
    const service = serviceKey(subject.metadata);
    const change: ServiceChange = {
      service,
      previous: this.#changes.get(service)?.previous ?? infosOf(previous),
      current: infosOf(current),
    };
    if (isDeepStrictEqual(change.previous, change.current)) this.#changes.delete(service);
    else this.#changes.set(service, change);
    return this.pending > 0;
  }

  /** How many Services have changed. */
  get pending(): number {
    return this.#changes.size;
  }

  /** Hands over the changes and forgets them. */
  checkout(): ReadonlyMap<string, ServiceChange> {
    const changes = this.#changes;
    this.#changes = new Map();
    return changes;
  }
}

function infosOf(service: Service | undefined): readonly ServicePortInfo[] {
  return service === undefined ? [] : servicePortInfos(service);
}
