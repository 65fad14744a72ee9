import type { Frontend } from '../../services/routing-table.ts';
import type { Flow } from '../flow.ts';
import type { NodeView } from '../node-context.ts';
import type { Stance } from '../proxy-mode.ts';
import { FORWARD, REFUSAL, type Route } from './route.ts';
import { passesSourceRanges } from './source-ranges.ts';

/**
 * The policy that the iptables and nftables proxiers share, as their rules have it (syncProxyRules of
 * pkg/proxy/iptables and pkg/proxy/nftables). `guardFirst`: nftables checks source ranges before it knows
 * whether there are endpoints; in iptables the firewall chain exists only while there are some.
 */
export function netfilterRoute(
  view: NodeView,
  frontend: Frontend,
  flow: Flow,
  guardFirst: boolean,
): Route {
  const { categories } = frontend.servicePort;
  const source = flow.source.address;
  if (guardFirst && !passesSourceRanges(frontend, source, view)) return REFUSAL.sourceRanges;
  if (!categories.hasAny) return REFUSAL.noEndpoints;
  if (frontend.kind === 'clusterIP') return internalRoute(view, frontend, source);
  return passesSourceRanges(frontend, source, view)
    ? externalRoute(view, frontend, source)
    : REFUSAL.sourceRanges;
}

function internalRoute(view: NodeView, frontend: Frontend, source: string): Route {
  const { info, categories } = frontend.servicePort;
  if (info.internalPolicyLocal && categories.local.length === 0) return REFUSAL.noLocalEndpoints;
  const masquerade =
    view.context.masqueradeAll || (view.detectsPods(info.family) && !view.isPod(source));
  if (info.internalPolicyLocal) return masquerade ? FORWARD.localMasquerade : FORWARD.local;
  return masquerade ? FORWARD.clusterMasquerade : FORWARD.cluster;
}

function externalRoute(view: NodeView, frontend: Frontend, source: string): Route {
  const { info, categories } = frontend.servicePort;
  if (!info.externalPolicyLocal) return FORWARD.clusterMasquerade;
  // Short circuit: as if the pod's packet had gone out to the load balancer and come back.
  if (view.isPod(source)) return FORWARD.cluster;
  if (view.isNode(source)) return FORWARD.clusterMasquerade;
  return categories.local.length === 0 ? REFUSAL.noLocalEndpoints : FORWARD.local;
}

/** What all flows to a frontend share, for who has to listen there. */
export function netfilterStance(frontend: Frontend): Stance {
  const { info, categories } = frontend.servicePort;
  const guarded = frontend.kind === 'loadBalancer' && info.loadBalancerSourceRanges.length > 0;
  if (!categories.hasAny) return guarded ? 'mixed' : 'reject';
  const localOnly = frontend.kind === 'clusterIP' && info.internalPolicyLocal;
  return localOnly && categories.local.length === 0 ? 'drop' : 'mixed';
}
