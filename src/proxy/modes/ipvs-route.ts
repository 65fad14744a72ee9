import type { Endpoint } from '../../services/endpoint.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import type { Flow } from '../flow.ts';
import type { NodeView } from '../node-context.ts';
import type { Stance } from '../proxy-mode.ts';
import {
  FORWARD,
  type ForwardRoute,
  isHairpin,
  REFUSAL,
  type Refusal,
  type Route,
} from './route.ts';
import { passesSourceRanges } from './source-ranges.ts';

/** The policy of ipvs mode: ipsets and a few rules around the virtual servers (pkg/proxy/ipvs). */
export function ipvsRoute(view: NodeView, frontend: Frontend, flow: Flow): Route {
  if (!passesSourceRanges(frontend, flow.source.address, view)) return REFUSAL.sourceRanges;
  const { categories, info } = frontend.servicePort;
  const scope = ipvsScope(frontend);
  if (categories[scope].length === 0) return REFUSAL.noEndpoints;
  const masquerade =
    frontend.kind === 'clusterIP'
      ? masqueradesInternal(view, frontend.servicePort, flow)
      : !info.externalPolicyLocal && !view.isLoopback(flow.source.address);
  return routeOf(scope, masquerade);
}

/**
 * Which endpoints are the real servers of a frontend: local ones where its policy says so, but all of the
 * cluster when there are none. Nothing short-circuits traffic of pods or of the node.
 */
export function ipvsScope(frontend: Frontend): 'cluster' | 'local' {
  const { categories, info } = frontend.servicePort;
  const local = frontend.kind === 'clusterIP' ? info.internalPolicyLocal : info.externalPolicyLocal;
  return local && categories.local.length > 0 ? 'local' : 'cluster';
}

/** A flow that no virtual server takes: KUBE-IPVS-FILTER refuses it on addresses held by kube-ipvs0. */
export function ipvsUnmatched(table: RoutingTable, view: NodeView, flow: Flow): Refusal {
  const { address } = flow.destination;
  const held = table.addresses.get(address) !== undefined && !view.isNode(address);
  return held ? REFUSAL.unusedPort : REFUSAL.notOurs;
}

/** Set KUBE-LOOP-BACK: hairpin traffic, of endpoints on this node only. */
export function ipvsHairpin(table: RoutingTable, flow: Flow, endpoint: Endpoint): boolean {
  return isHairpin(flow, endpoint) && endpoint.nodeName === table.node.nodeName;
}

export function ipvsStance(frontend: Frontend): Stance {
  const { info, categories } = frontend.servicePort;
  const guarded = frontend.kind === 'loadBalancer' && info.loadBalancerSourceRanges.length > 0;
  return categories[ipvsScope(frontend)].length === 0 && !guarded ? 'reject' : 'mixed';
}

function masqueradesInternal(view: NodeView, { info }: ServicePort, flow: Flow): boolean {
  const source = flow.source.address;
  // First rule of KUBE-SERVICES: what comes from loopback returns.
  if (view.isLoopback(source)) return false;
  if (view.context.masqueradeAll) return true;
  if (view.detectsPods(info.family)) return !view.isPod(source);
  // Without a detector: the node's packets, whose source is the very VIP, kube-ipvs0 having it.
  return source === info.clusterIP;
}

function routeOf(scope: 'cluster' | 'local', masquerade: boolean): ForwardRoute {
  if (scope === 'local') return masquerade ? FORWARD.localMasquerade : FORWARD.local;
  return masquerade ? FORWARD.clusterMasquerade : FORWARD.cluster;
}
