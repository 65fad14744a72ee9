import { equalJson } from '../../api/json.ts';
import type { EndpointSlice, SliceEndpoint } from '../../api/types/discovery.ts';

/** --max-endpoints-per-slice. */
const MAX_PER_SLICE = 100;

/** What becomes of the slices of a Service: each is in one list. */
export interface SlicePlan {
  readonly create: EndpointSlice[];
  readonly update: EndpointSlice[];
  readonly unchanged: EndpointSlice[];
  readonly delete: EndpointSlice[];
}

export interface PackingInput {
  /** By what makes an endpoint the same one; without hints. */
  readonly desired: ReadonlyMap<string, SliceEndpoint>;
  readonly idOf: (endpoint: SliceEndpoint) => string;
  /** Those with the ports that the desired endpoints have. */
  readonly slices: readonly EndpointSlice[];
  readonly labels: Readonly<Record<string, string>>;
  readonly newSlice: (endpoints: SliceEndpoint[]) => EndpointSlice;
}

interface Slot {
  readonly slice: EndpointSlice;
  readonly endpoints: SliceEndpoint[];
}

/**
 * Puts endpoints into slices with few writes rather than few slices (endpointslice/reconciler.go,
 * reconcileByPortMapping): what is somewhere stays there; what is new goes to slices that are written
 * anyway, the fullest first; what is left goes into the one slice that it fits best, and else into new ones.
 */
export function packEndpoints(input: PackingInput): SlicePlan {
  const plan: SlicePlan = { create: [], update: [], unchanged: [], delete: [] };
  const missing = new Map(input.desired);
  const touched: Slot[] = [];
  let untouched: Slot[] = [];
  for (const slice of input.slices) {
    const endpoints = keep(slice, missing, input.idOf);
    if (endpoints.length === 0 && (slice.endpoints ?? []).length > 0) plan.delete.push(slice);
    else if (
      equalJson(endpoints, slice.endpoints ?? []) &&
      equalJson(slice.metadata.labels, input.labels)
    )
      untouched.push({ slice, endpoints });
    else touched.push({ slice, endpoints });
  }
  const added = [...missing.values()];
  for (const { endpoints } of touched.toSorted(byFullest))
    endpoints.push(...added.splice(0, MAX_PER_SLICE - endpoints.length));
  while (added.length > 0) {
    const slot = added.length < MAX_PER_SLICE ? bestFit(untouched, added.length) : undefined;
    const endpoints = added.splice(0, MAX_PER_SLICE);
    if (slot === undefined) plan.create.push(input.newSlice(endpoints));
    else {
      untouched = untouched.filter((other) => other !== slot);
      touched.push({ slice: slot.slice, endpoints: [...slot.endpoints, ...endpoints] });
    }
  }
  plan.unchanged.push(...untouched.map(({ slice }) => slice));
  for (const { slice, endpoints } of touched)
    plan.update.push({
      ...slice,
      metadata: { ...slice.metadata, labels: { ...input.labels } },
      endpoints,
    });
  return plan;
}

/** The slice's endpoints that are still wanted, as they are wanted now, with the hints they have. */
function keep(
  slice: EndpointSlice,
  missing: Map<string, SliceEndpoint>,
  idOf: (endpoint: SliceEndpoint) => string,
): SliceEndpoint[] {
  return (slice.endpoints ?? []).flatMap((endpoint) => {
    const id = idOf(endpoint);
    const desired = missing.get(id);
    missing.delete(id);
    if (desired === undefined) return [];
    return [endpoint.hints === undefined ? desired : { ...desired, hints: endpoint.hints }];
  });
}

function byFullest(a: Slot, b: Slot): number {
  return b.endpoints.length - a.endpoints.length;
}

/** The slice that so many more endpoints leave with the least room (getSliceToFill). */
function bestFit(slots: readonly Slot[], count: number): Slot | undefined {
  return slots
    .filter(({ endpoints }) => endpoints.length + count <= MAX_PER_SLICE)
    .toSorted(byFullest)[0];
}
