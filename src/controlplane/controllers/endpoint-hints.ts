import type { Service } from '../../api/types/core.ts';
import type { SliceEndpoint } from '../../api/types/discovery.ts';

const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const TOPOLOGY_AWARE = 'service.kubernetes.io/topology-aware-hints';

/**
 * Topology hints in place (KEP-4444, KEP-3015; trafficdist/): with a trafficDistribution, every ready
 * endpoint is hinted at its own zone, and at its node with PreferSameNode.
 */
export function addHints(service: Service, endpoints: readonly SliceEndpoint[]): void {
  const wanted = distribution(service);
  if (wanted === undefined) return;
  for (const endpoint of endpoints) {
    if (endpoint.conditions?.ready === false) continue;
    const hints: NonNullable<SliceEndpoint['hints']> = {};
    if (endpoint.zone !== undefined) hints.forZones = [{ name: endpoint.zone }];
    if (wanted === 'PreferSameNode' && endpoint.nodeName !== undefined)
      hints.forNodes = [{ name: endpoint.nodeName }];
    if (Object.keys(hints).length > 0) endpoint.hints = hints;
  }
}

function distribution(service: Service): 'PreferSameZone' | 'PreferSameNode' | undefined {
  const annotations = service.metadata.annotations ?? {};
  const mode = annotations[TOPOLOGY_MODE] ?? annotations[TOPOLOGY_AWARE];
  // The annotation's own, proportional allocation is not made: Auto means the zone.
  if (mode === 'Auto' || mode === 'auto') return 'PreferSameZone';
  const { trafficDistribution } = service.spec;
  return trafficDistribution === 'PreferClose' ? 'PreferSameZone' : trafficDistribution;
}
