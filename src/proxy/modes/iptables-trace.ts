import type { Frontend } from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import type { Flow, Trace } from '../flow.ts';
import type { NodeView } from '../node-context.ts';
import { type ServiceChainKind, serviceChain } from './chain-names.ts';
import { describeDestination, describeKind, type Route } from './route.ts';

/** Tells which chains of the iptables rules a flow went through, up to the choice of an endpoint. */
export function traceIptablesRoute(
  view: NodeView,
  frontend: Frontend,
  flow: Flow,
  route: Route,
  trace: Trace,
): void {
  const { info } = frontend.servicePort;
  const entry = frontend.kind === 'nodePort' ? 'KUBE-NODEPORTS' : 'KUBE-SERVICES';
  trace.step(`nat ${entry}: ${describeDestination(flow)} is a ${describeKind(frontend)}`, {
    service: formatServicePortName(info.name),
    protocol: info.protocol,
  });
  if (route.kind !== 'forward') {
    trace.step(`filter ${filterChain(frontend, route.reason)}: ${route.kind.toUpperCase()}`, {
      reason: route.reason,
    });
    return;
  }
  const chain = (kind: ServiceChainKind): string => serviceChain(kind, info.name);
  if (frontend.kind === 'loadBalancer' && info.loadBalancerSourceRanges.length > 0)
    trace.step(`${chain('FW')}: the source is in loadBalancerSourceRanges`);
  if (frontend.kind !== 'clusterIP')
    trace.step(`${chain('EXT')}: ${externalReason(view, frontend, flow)}`);
  else if (route.masquerade)
    trace.step(`${chain(route.scope === 'local' ? 'SVL' : 'SVC')}: KUBE-MARK-MASQ`, {
      reason: view.context.masqueradeAll ? '--masquerade-all' : 'the source is not a local pod',
    });
  traceCategory(frontend, route.scope, trace);
}

/** Says which endpoints are in question and why those. */
export function traceCategory(frontend: Frontend, scope: 'cluster' | 'local', trace: Trace): void {
  const { categories, endpoints } = frontend.servicePort;
  const terminating =
    scope === 'local' ? categories.localTerminating : categories.clusterTerminating;
  trace.step(`endpoints: ${scope} policy`, {
    usable: categories[scope].length,
    known: endpoints.length,
    ...(scope === 'cluster' && categories.topologyMode !== 'none'
      ? { topology: categories.topologyMode }
      : {}),
    ...(terminating ? { fallback: 'nothing is ready: serving and terminating ones are used' } : {}),
  });
}

function externalReason(view: NodeView, frontend: Frontend, flow: Flow): string {
  if (!frontend.servicePort.info.externalPolicyLocal)
    return 'externalTrafficPolicy Cluster: KUBE-MARK-MASQ';
  if (view.isPod(flow.source.address)) return 'pod traffic is not bound by externalTrafficPolicy';
  if (view.isNode(flow.source.address)) return 'LOCAL traffic goes anywhere: KUBE-MARK-MASQ';
  return 'externalTrafficPolicy Local';
}

function filterChain(frontend: Frontend, reason: string): string {
  if (frontend.kind === 'clusterIP') return 'KUBE-SERVICES';
  return reason.includes('loadBalancerSourceRanges')
    ? 'KUBE-PROXY-FIREWALL'
    : 'KUBE-EXTERNAL-SERVICES';
}
