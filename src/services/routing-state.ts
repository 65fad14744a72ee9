import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { NodeTopology } from './categorize-endpoints.ts';
import { sameEndpoints } from './endpoint.ts';
import type { EndpointsByPort } from './endpoint-slice-cache.ts';
import { EndpointsChangeTracker } from './endpoints-change-tracker.ts';
import { FrontendIndex } from './frontend-index.ts';
import { PersistentMap } from './persistent-map.ts';
import type { Frontend, HealthCheckNodePort, RoutingTable, ServicePort } from './routing-table.ts';
import { ServiceChangeTracker } from './service-change-tracker.ts';
import type { ServicePortInfo } from './service-port-info.ts';
import { serviceKey } from './service-port-name.ts';
import { createServicePort, healthCheckOf, servicePortKey } from './service-port.ts';

/** What a build did, for metrics and for who writes rules. */
export interface BuildReport {
  readonly table: RoutingTable;
  /** `namespace/name` of every Service whose ports or endpoints were looked at anew. */
  readonly services: readonly string[];
  /** Unix milliseconds of the earliest known cause, one for each Service that names one. */
  readonly triggeredAtMs: readonly number[];
}

/**
 * One node's view of Services and EndpointSlices: takes their events in any order and turns what is pending
 * into the next {@link RoutingTable}. Service ports that did not change are the same objects in both tables.
 */
export class RoutingState {
  readonly #seen = new Map<string, Service>();
  readonly #services = new ServiceChangeTracker();
  readonly #endpoints: EndpointsChangeTracker;
  readonly #infos = new Map<string, readonly ServicePortInfo[]>();
  readonly #index = new FrontendIndex();
  #node: NodeTopology;
  #nodeChanged = false;
  #table: RoutingTable;

  constructor(node: NodeTopology, options: { readonly startedAtMs?: number } = {}) {
    this.#node = node;
    this.#endpoints = new EndpointsChangeTracker({ nodeName: node.nodeName, ...options });
    this.#table = emptyRoutingTable(node);
  }

  /** The table as of the last build. */
  get table(): RoutingTable {
    return this.#table;
  }

  get pendingServices(): number {
    return this.#services.pending;
  }

  get pendingEndpoints(): number {
    return this.#endpoints.pending;
  }

  /** True when {@link build} would make another table. */
  get pending(): boolean {
    return this.#nodeChanged || this.pendingServices > 0 || this.pendingEndpoints > 0;
  }

  /** A Service was added or changed. */
  setService(service: Service): void {
    const key = serviceKey(service.metadata);
    this.#services.update(this.#seen.get(key), service);
    this.#seen.set(key, service);
  }

  deleteService(meta: { readonly namespace?: string; readonly name?: string }): void {
    const key = serviceKey(meta);
    this.#services.update(this.#seen.get(key), undefined);
    this.#seen.delete(key);
  }

  /** A slice was added or changed. */
  setSlice(slice: EndpointSlice): void {
    this.#endpoints.update(slice);
  }

  deleteSlice(slice: EndpointSlice): void {
    this.#endpoints.update(slice, true);
  }

  /** The zone label of this node; a change looks at every service port anew. */
  setZone(zone: string): void {
    if (zone === this.#node.zone) return;
    this.#node = { ...this.#node, zone };
    this.#nodeChanged = true;
  }

  /** Applies what is pending. Without anything pending the table stays the same object. */
  build(): BuildReport {
    const serviceChanges = this.#services.checkout();
    const endpointChanges = this.#endpoints.checkout();
    const touched = this.#nodeChanged
      ? new Set([...this.#infos.keys(), ...serviceChanges.keys()])
      : new Set(serviceChanges.keys());
    for (const service of endpointChanges.keys()) touched.add(service);
    for (const [service, change] of serviceChanges)
      if (change.current.length === 0) this.#infos.delete(service);
      else this.#infos.set(service, change.current);
    const triggeredAtMs = [...endpointChanges.values()].flatMap(
      (change) => change.triggeredAtMs ?? [],
    );
    if (touched.size > 0) {
      const known = new Map([...endpointChanges].map(([key, { current }]) => [key, current]));
      this.#table = this.#rebuild(touched, serviceChanges, known);
    }
    this.#nodeChanged = false;
    return { table: this.#table, services: [...touched], triggeredAtMs };
  }

  #rebuild(
    touched: ReadonlySet<string>,
    serviceChanges: ReadonlyMap<string, { readonly previous: readonly ServicePortInfo[] }>,
    endpointChanges: ReadonlyMap<string, EndpointsByPort>,
  ): RoutingTable {
    const removed: Frontend[] = [];
    const added: Frontend[] = [];
    const healthChecks: [string, HealthCheckNodePort | undefined][] = [];
    const servicePorts = this.#table.servicePorts.edit((draft) => {
      for (const service of touched) {
        const infos = this.#infos.get(service) ?? [];
        const endpoints = endpointChanges.get(service) ?? this.#endpoints.endpoints(service);
        const previous = serviceChanges.get(service)?.previous ?? infos;
        const known = previous.flatMap((info) => draft.get(servicePortKey(info)) ?? []);
        const wanted = infos.map((info) => createServicePort(info, endpoints, this.#node));
        const kept = this.#nodeChanged ? [] : known.filter((one) => wanted.some(isSame(one)));
        for (const gone of known.filter((one) => !kept.includes(one))) {
          removed.push(...gone.frontends);
          draft.delete(gone.key);
        }
        for (const fresh of wanted.filter((one) => !kept.some(isSame(one)))) {
          added.push(...fresh.frontends);
          draft.set(fresh.key, fresh);
        }
        healthChecks.push([service, healthCheckOf(infos, endpoints, this.#node)]);
      }
    });
    this.#index.replace(removed, added);
    return {
      version: this.#table.version + 1,
      node: this.#node,
      servicePorts,
      addresses: this.#index.addresses,
      nodePorts: this.#index.nodePorts,
      healthCheckNodePorts: withHealthChecks(this.#table.healthCheckNodePorts, healthChecks),
    };
  }
}

/** The table of a node that has heard of nothing yet. */
export function emptyRoutingTable(node: NodeTopology): RoutingTable {
  return {
    version: 0,
    node,
    servicePorts: PersistentMap.empty(),
    addresses: PersistentMap.empty(),
    nodePorts: PersistentMap.empty(),
    healthCheckNodePorts: PersistentMap.empty(),
  };
}

/** A table from whole lists, for tests and for what is asked offline. */
export function buildRoutingTable(
  node: NodeTopology,
  objects: { readonly services: readonly Service[]; readonly slices: readonly EndpointSlice[] },
): RoutingTable {
  const state = new RoutingState(node);
  for (const service of objects.services) state.setService(service);
  for (const slice of objects.slices) state.setSlice(slice);
  return state.build().table;
}

/** Then it stays the same object, and listeners and pickers keep what they have. */
function isSame(a: ServicePort): (b: ServicePort) => boolean {
  return (b) =>
    a.key === b.key && sameEndpoints(a.endpoints, b.endpoints) && isDeepStrictEqual(a.info, b.info);
}

function withHealthChecks(
  before: PersistentMap<string, HealthCheckNodePort>,
  changes: readonly [string, HealthCheckNodePort | undefined][],
): PersistentMap<string, HealthCheckNodePort> {
  return before.edit((draft) => {
    for (const [service, check] of changes)
      if (check === undefined) draft.delete(service);
      else if (!isDeepStrictEqual(check, draft.get(service))) draft.set(service, check);
  });
}
