import type { Endpoint } from '../../services/endpoint.ts';
import type { Frontend, ServicePort } from '../../services/routing-table.ts';
import type { Decision, Flow } from '../flow.ts';
import type { ReachableEndpoint } from '../proxy-mode.ts';

/** Decisions that go nowhere are the same object every time. */
export type Refusal = Exclude<Decision, { kind: 'forward' }>;

/** The policy's part of a decision: which endpoints may be chosen, not which is. */
export type Route = ForwardRoute | Refusal;

export interface ForwardRoute {
  readonly kind: 'forward';
  readonly scope: 'cluster' | 'local';
  /** Whatever is chosen. A flow to itself (hairpin) is masqueraded besides. */
  readonly masquerade: boolean;
}

export const FORWARD: Readonly<
  Record<'cluster' | 'clusterMasquerade' | 'local' | 'localMasquerade', ForwardRoute>
> = {
  cluster: { kind: 'forward', scope: 'cluster', masquerade: false },
  clusterMasquerade: { kind: 'forward', scope: 'cluster', masquerade: true },
  local: { kind: 'forward', scope: 'local', masquerade: false },
  localMasquerade: { kind: 'forward', scope: 'local', masquerade: true },
};

type RefusalName =
  | 'noEndpoints'
  | 'noLocalEndpoints'
  | 'sourceRanges'
  | 'unusedPort'
  | 'unusedAddress'
  | 'notOurs';

export const REFUSAL: Readonly<Record<RefusalName, Refusal>> = {
  noEndpoints: { kind: 'reject', reason: 'the service port has no endpoints' },
  noLocalEndpoints: { kind: 'drop', reason: 'the service port has no local endpoints' },
  sourceRanges: { kind: 'drop', reason: 'the source is not in loadBalancerSourceRanges' },
  unusedPort: { kind: 'reject', reason: 'the service address does not offer this port' },
  unusedAddress: { kind: 'drop', reason: 'no Service has this address of the service network' },
  notOurs: { kind: 'pass', reason: 'no Service is reached at this address and port' },
};

export function endpointsOf(servicePort: ServicePort, route: ForwardRoute): readonly Endpoint[] {
  return route.scope === 'local' ? servicePort.categories.local : servicePort.categories.cluster;
}

/** Equal shares, as every mode that keeps no counts gives them to a client it does not remember. */
export function equalShares(
  endpoints: readonly Endpoint[],
  snat: (endpoint: Endpoint) => boolean,
): readonly ReachableEndpoint[] {
  return endpoints.map((endpoint) => ({
    address: endpoint.key,
    probability: 1 / endpoints.length,
    snat: snat(endpoint),
  }));
}

/** A pod that reaches itself through its Service: without SNAT it would answer itself directly. */
export function isHairpin(flow: Flow, endpoint: Endpoint): boolean {
  return flow.source.address === endpoint.address;
}

/** `10.96.0.1:80/TCP` */
export function describeDestination(flow: Flow): string {
  const { address, port } = flow.destination;
  return `${address.includes(':') ? `[${address}]` : address}:${port}/${flow.protocol}`;
}

const KIND_NAMES = {
  clusterIP: 'cluster IP',
  externalIP: 'external IP',
  loadBalancer: 'load balancer IP',
  nodePort: 'node port',
} as const;

export function describeKind(frontend: Frontend): string {
  return KIND_NAMES[frontend.kind];
}
