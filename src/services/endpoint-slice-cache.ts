import { isDeepStrictEqual } from 'node:util';
import type { IpFamilyName, Protocol } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import { formatIp, parseIp } from '../base/ip.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';

/** Endpoints of one Service by {@link endpointsKey}, each list sorted by `address:port`. */
export type EndpointsByPort = ReadonlyMap<string, readonly Endpoint[]>;

/** A slice names ports, not numbers: name and protocol must equal the service port's. */
export function endpointsKey(family: IpFamilyName, portName: string, protocol: Protocol): string {
  return `${family}/${portName}/${protocol}`;
}

interface CachedSlice {
  readonly slice: EndpointSlice;
  /** Announced for deletion; meaningful only while pending. */
  readonly removed: boolean;
}

interface ServiceSlices {
  readonly applied: Map<string, EndpointSlice>;
  readonly pending: Map<string, CachedSlice>;
}

/**
 * The slices of every Service: those that the current table is made of, and the changes since
 * (pkg/proxy/endpointslicecache.go).
 */
export class EndpointSliceCache {
  readonly #services = new Map<string, ServiceSlices>();

  /**
   * Takes the newest state of a slice. True when it differs from the pending copy, or else from the applied
   * one: a change that is taken back before it was applied stays pending.
   */
  update(service: string, slice: EndpointSlice, removed: boolean): boolean {
    const slices = this.#services.get(service) ?? { applied: new Map(), pending: new Map() };
    const name = slice.metadata.name ?? '';
    if (!differs(slices, name, slice, removed)) return false;
    this.#services.set(service, slices);
    slices.pending.set(name, { slice, removed });
    return true;
  }

  /** The endpoints as of the last {@link apply}. `nodeName` decides which of two equal endpoints wins. */
  applied(service: string, nodeName: string): EndpointsByPort {
    return mergeSlices(this.#services.get(service)?.applied.values() ?? [], nodeName);
  }

  /** Makes the pending changes of one Service current. */
  apply(service: string): void {
    const slices = this.#services.get(service);
    if (slices === undefined) return;
    for (const [name, { slice, removed }] of slices.pending)
      if (removed) slices.applied.delete(name);
      else slices.applied.set(name, slice);
    slices.pending.clear();
    if (slices.applied.size === 0) this.#services.delete(service);
  }
}

function differs(
  slices: ServiceSlices,
  name: string,
  slice: EndpointSlice,
  removed: boolean,
): boolean {
  const pending = slices.pending.get(name);
  const known = pending?.slice ?? slices.applied.get(name);
  if (known === undefined) return !removed;
  if ((pending?.removed ?? false) !== removed) return true;
  return !sameSlice(known, slice);
}

function sameSlice(a: EndpointSlice, b: EndpointSlice): boolean {
  return (
    a === b ||
    (a.addressType === b.addressType &&
      isDeepStrictEqual(a.ports, b.ports) &&
      isDeepStrictEqual(a.endpoints, b.endpoints))
  );
}

/** Endpoints by port of all `slices`, duplicates counted once: a local copy wins, else the first slice by name. */
function mergeSlices(slices: Iterable<EndpointSlice>, nodeName: string): EndpointsByPort {
  const merged = new Map<string, Map<string, Endpoint>>();
  const inOrder = [...slices].toSorted(byName);
  for (const slice of inOrder) addSlice(merged, slice, nodeName);
  return new Map(
    [...merged].map(([key, endpoints]) => [key, [...endpoints.values()].toSorted(byKey)] as const),
  );
}

function addSlice(
  merged: Map<string, Map<string, Endpoint>>,
  slice: EndpointSlice,
  nodeName: string,
): void {
  const family = slice.addressType;
  if (family === 'FQDN') return;
  for (const port of slice.ports ?? []) {
    // A port without a name field is not the port with the empty name.
    if (port.name === undefined || port.name === null || !port.port) continue;
    const key = endpointsKey(family, port.name, port.protocol ?? 'TCP');
    const endpoints = merged.get(key) ?? new Map<string, Endpoint>();
    merged.set(key, endpoints);
    for (const source of slice.endpoints ?? []) {
      const address = canonicalAddress(source.addresses?.[0], family);
      if (address === undefined) continue;
      const endpoint = endpointOf(source, address, port.port);
      if (!endpoints.has(endpoint.key) || endpoint.nodeName === nodeName)
        endpoints.set(endpoint.key, endpoint);
    }
  }
}

/** Addresses of the other family are skipped, as by kube-proxy (event KubeProxyIncorrectIPVersion). */
function canonicalAddress(text: string | undefined, family: IpFamilyName): string | undefined {
  const ip = text === undefined ? undefined : parseIp(text);
  return ip?.family === family ? formatIp(ip) : undefined;
}

function byName(a: EndpointSlice, b: EndpointSlice): number {
  return compareTexts(a.metadata.name ?? '', b.metadata.name ?? '');
}

function byKey(a: Endpoint, b: Endpoint): number {
  return compareTexts(a.key, b.key);
}

/** By code unit, as Go compares ASCII strings; localeCompare would be slower and order differently. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
