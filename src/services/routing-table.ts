import type { IpFamilyName, Protocol } from '../api/types/core.ts';
import type { EndpointCategories, NodeTopology } from './categorize-endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import type { PersistentMap } from './persistent-map.ts';
import type { ServicePortInfo } from './service-port-info.ts';

export type FrontendKind = 'clusterIP' | 'externalIP' | 'loadBalancer' | 'nodePort';

/** One service port in one IP family, with what stands behind it as one node sees it. */
export interface ServicePort {
  /** Unique in a table: `IPv4 namespace/name:port/TCP`. */
  readonly key: string;
  readonly info: ServicePortInfo;
  /** All of them, usable or not, sorted by `address:port`. */
  readonly endpoints: readonly Endpoint[];
  readonly categories: EndpointCategories;
  /** Where clients reach it. */
  readonly frontends: readonly Frontend[];
}

/** One address and port that a service port is reached at. */
export interface Frontend {
  readonly kind: FrontendKind;
  readonly family: IpFamilyName;
  /** Undefined for node ports: the node's own addresses, as far as its configuration lets them. */
  readonly address: string | undefined;
  readonly protocol: Protocol;
  readonly port: number;
  readonly servicePort: ServicePort;
}

/** The frontends of one address by {@link portKey}. */
export type PortFrontends = ReadonlyMap<number, Frontend>;

/** A check port for load balancers: one a Service with externalTrafficPolicy Local. */
export interface HealthCheckNodePort {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  /** Distinct addresses of ready endpoints on this node; terminating ones do not count. */
  readonly localEndpoints: number;
}

/** Everything one node's proxy needs to decide, as of one moment. Immutable: swapped, never changed. */
export interface RoutingTable {
  /** Grows by one with every table built on this node. */
  readonly version: number;
  readonly node: NodeTopology;
  readonly servicePorts: PersistentMap<string, ServicePort>;
  /** By canonical address; every kind but node ports. */
  readonly addresses: PersistentMap<string, PortFrontends>;
  /** By {@link nodePortKey}. */
  readonly nodePorts: PersistentMap<number, Frontend>;
  /** By `namespace/name`. */
  readonly healthCheckNodePorts: PersistentMap<string, HealthCheckNodePort>;
}

const PROTOCOL_CODE: Readonly<Record<Protocol, number>> = { TCP: 0, UDP: 1, SCTP: 2 };

/** One small integer for protocol and port, so that lookups allocate nothing. */
export function portKey(protocol: Protocol, port: number): number {
  return port * 4 + PROTOCOL_CODE[protocol];
}

export function nodePortKey(family: IpFamilyName, protocol: Protocol, port: number): number {
  return portKey(protocol, port) * 2 + (family === 'IPv6' ? 1 : 0);
}

/**
 * For who listens on them.
 *
 * @yields {Frontend} Every frontend of the table.
 */
export function* listFrontends(table: RoutingTable): IterableIterator<Frontend> {
  for (const ports of table.addresses.values()) yield* ports.values();
  yield* table.nodePorts.values();
}

export interface FrontendChange {
  readonly before: Frontend | undefined;
  readonly after: Frontend | undefined;
}

/**
 * What listeners have to do between two tables: `before` only = close, `after` only = open, both = the same
 * address and port with another service port behind it. Costs what changed, not what exists.
 *
 * @yields {FrontendChange} One change an address and port.
 */
export function* diffFrontends(
  before: RoutingTable,
  after: RoutingTable,
): IterableIterator<FrontendChange> {
  for (const change of before.addresses.differences(after.addresses))
    yield* diffPorts(change.before, change.after);
  for (const change of before.nodePorts.differences(after.nodePorts))
    yield { before: change.before, after: change.after };
}

function* diffPorts(
  before: PortFrontends | undefined,
  after: PortFrontends | undefined,
): IterableIterator<FrontendChange> {
  for (const [key, frontend] of before ?? []) {
    const next = after?.get(key);
    if (next !== frontend) yield { before: frontend, after: next };
  }
  for (const [key, frontend] of after ?? [])
    if (before?.has(key) !== true) yield { before: undefined, after: frontend };
}
