import { equalJson } from '../../api/json.ts';
import type { Service } from '../../api/types/core.ts';
import type { EndpointHints, EndpointSlice, SliceEndpoint } from '../../api/types/discovery.ts';
import type { SlicePlan } from './slice-packing.ts';

const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
/** Its name before 1.27, which is still looked at first. */
const TOPOLOGY_AWARE = 'service.kubernetes.io/topology-aware-hints';

/** Whether the Service asks for hints in proportion to the zones' CPUs. */
export function wantsTopologyHints(service: Service): boolean {
  const { annotations = {} } = service.metadata;
  const mode = annotations[TOPOLOGY_AWARE] ?? annotations[TOPOLOGY_MODE];
  return mode === 'Auto' || mode === 'auto';
}

/**
 * Hints for a trafficDistribution (KEP-4444, KEP-3015; endpointslice/trafficdist): every ready endpoint is
 * hinted at its own zone, and at its node with PreferSameNode. Without one there are no hints.
 */
export function distributionHints(service: Service, plan: SlicePlan): SlicePlan {
  const { trafficDistribution: wanted } = service.spec;
  if (wanted === undefined) return clearHints(plan);
  return mapHints(plan, ({ zone, nodeName }) => {
    const hints: EndpointHints = { ...zoneHint(zone) };
    if (wanted === 'PreferSameNode' && nodeName !== undefined)
      hints.forNodes = [{ name: nodeName }];
    return Object.keys(hints).length > 0 ? hints : undefined;
  });
}

export function zoneHint(zone: string | undefined): EndpointHints | undefined {
  return zone === undefined ? undefined : { forZones: [{ name: zone }] };
}

export function clearHints(plan: SlicePlan): SlicePlan {
  return mapHints(plan, () => undefined);
}

/** Gives every ready endpoint its hints and the others none; a slice that this changes is updated. */
export function mapHints(
  plan: SlicePlan,
  hintsOf: (endpoint: SliceEndpoint) => EndpointHints | undefined,
): SlicePlan {
  const hinted = (slice: EndpointSlice): EndpointSlice => ({
    ...slice,
    endpoints: (slice.endpoints ?? []).map((endpoint) =>
      withHints(endpoint, endpoint.conditions?.ready === false ? undefined : hintsOf(endpoint)),
    ),
  });
  const looked = plan.unchanged.map((slice) => ({ slice, next: hinted(slice) }));
  const isSame = ({ slice, next }: (typeof looked)[number]): boolean =>
    equalJson(slice.endpoints ?? [], next.endpoints);
  return {
    create: plan.create.map(hinted),
    update: [
      ...plan.update.map(hinted),
      ...looked.filter((entry) => !isSame(entry)).map(({ next }) => next),
    ],
    unchanged: looked.filter(isSame).map(({ slice }) => slice),
    delete: plan.delete,
  };
}

function withHints(
  { hints: _hints, ...endpoint }: SliceEndpoint,
  hints: EndpointHints | undefined,
): SliceEndpoint {
  return hints === undefined ? endpoint : { ...endpoint, hints };
}
