import { type Endpoint, isServingTerminating } from './endpoint.ts';
import type { ServicePortInfo } from './service-port-info.ts';

/** Who asks: decides what is local and which hints apply. */
export interface NodeTopology {
  readonly nodeName: string;
  /** The node's `topology.kubernetes.io/zone`; empty: none. */
  readonly zone: string;
}

export const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** Which endpoint hints were honoured. */
export type TopologyMode = 'none' | 'same-node' | 'same-zone';

/** The endpoints one node uses for one service port, by kind of traffic (pkg/proxy/topology.go). */
export interface EndpointCategories {
  /** For traffic under the Cluster policy. */
  readonly cluster: readonly Endpoint[];
  /** For traffic under the Local policy. */
  readonly local: readonly Endpoint[];
  /** Something usable exists on some node: without it traffic is rejected, with it at worst dropped. */
  readonly hasAny: boolean;
  readonly topologyMode: TopologyMode;
  /** True when the set consists of terminating endpoints because nothing is ready. */
  readonly clusterTerminating: boolean;
  readonly localTerminating: boolean;
}

const NO_ENDPOINTS: readonly Endpoint[] = [];

/** What pkg/proxy/topology.go calls CategorizeEndpoints: the usable endpoints by traffic policy, for one node. */
export function categorizeEndpoints(
  endpoints: readonly Endpoint[],
  info: Pick<ServicePortInfo, 'usesClusterEndpoints' | 'usesLocalEndpoints'>,
  node: NodeTopology,
): EndpointCategories {
  const topologyMode = info.usesClusterEndpoints ? topologyModeOf(endpoints, node) : 'none';
  const cluster = info.usesClusterEndpoints
    ? readyElseTerminating(
        endpoints,
        (endpoint) => endpoint.ready && fits(endpoint, topologyMode, node),
        isServingTerminating,
      )
    : NOTHING;
  const local = info.usesLocalEndpoints
    ? readyElseTerminating(
        endpoints,
        (endpoint) => endpoint.ready && isLocal(endpoint, node),
        (endpoint) => isServingTerminating(endpoint) && isLocal(endpoint, node),
      )
    : NOTHING;
  return {
    cluster: cluster.endpoints,
    local: local.endpoints,
    hasAny: endpoints.some((endpoint) => endpoint.ready || isServingTerminating(endpoint)),
    topologyMode,
    clusterTerminating: cluster.terminating,
    localTerminating: local.terminating,
  };
}

/** An endpoint without a node is nobody's. */
export function isLocal(endpoint: Endpoint, node: NodeTopology): boolean {
  return endpoint.nodeName !== '' && endpoint.nodeName === node.nodeName;
}

interface Chosen {
  readonly endpoints: readonly Endpoint[];
  readonly terminating: boolean;
}

const NOTHING: Chosen = { endpoints: NO_ENDPOINTS, terminating: false };

function readyElseTerminating(
  endpoints: readonly Endpoint[],
  isReady: (endpoint: Endpoint) => boolean,
  isFallback: (endpoint: Endpoint) => boolean,
): Chosen {
  // The usual case shares the list instead of copying it.
  if (endpoints.length > 0 && endpoints.every(isReady)) return { endpoints, terminating: false };
  const ready = endpoints.filter(isReady);
  if (ready.length > 0) return { endpoints: ready, terminating: false };
  const fallback = endpoints.filter(isFallback);
  return fallback.length > 0 ? { endpoints: fallback, terminating: true } : NOTHING;
}

/** Hints count only when every ready endpoint has one and one of them is for us (KEP-2433, KEP-3015). */
function topologyModeOf(endpoints: readonly Endpoint[], node: NodeTopology): TopologyMode {
  let allHaveNode = true;
  let allHaveZone = true;
  let oneForNode = false;
  let oneForZone = false;
  for (const endpoint of endpoints) {
    if (!endpoint.ready) continue;
    allHaveNode &&= endpoint.nodeHints.length > 0;
    allHaveZone &&= endpoint.zoneHints.length > 0;
    oneForNode ||= endpoint.nodeHints.includes(node.nodeName);
    oneForZone ||= node.zone !== '' && endpoint.zoneHints.includes(node.zone);
  }
  if (allHaveNode && oneForNode) return 'same-node';
  return allHaveZone && oneForZone ? 'same-zone' : 'none';
}

function fits(endpoint: Endpoint, mode: TopologyMode, node: NodeTopology): boolean {
  if (mode === 'same-node') return endpoint.nodeHints.includes(node.nodeName);
  return mode === 'none' || endpoint.zoneHints.includes(node.zone);
}
