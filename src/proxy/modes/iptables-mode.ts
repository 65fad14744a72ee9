import type { Random } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import {
  type Frontend,
  nodePortKey,
  type RoutingTable,
  type ServicePort,
} from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import type { Flow, Trace } from '../flow.ts';
import { familyOf, type NodePortHabits, type NodeView } from '../node-context.ts';
import type { ProxyMode } from '../proxy-mode.ts';
import { endpointChain, type ServiceChainKind, serviceChain } from './chain-names.ts';
import type { ModeOptions } from './mode-options.ts';
import { NetfilterMode, type NetfilterStyle } from './netfilter-mode.ts';
import { RecentList } from './recent-list.ts';
import { describeDestination, describeKind, REFUSAL, type Refusal, type Route } from './route.ts';
import { walkStatisticRules } from './statistic-match.ts';
import { traceCategory } from './trace-category.ts';

/** kube-proxy's iptables mode: random by statistic matches, affinity by `recent` lists. */
export function createIptablesMode(options: ModeOptions): ProxyMode {
  return new NetfilterMode(IPTABLES, options);
}

export const IPTABLES_NODE_PORTS: NodePortHabits = { addresses: 'all', localhost: 'optional' };

const IPTABLES: NetfilterStyle = {
  name: 'iptables',
  nodePorts: IPTABLES_NODE_PORTS,
  guardFirst: false,
  createMemory: () => new RecentList(),
  unmatched,
  draw,
  traceRoute,
  traceOdds,
  traceAffinity: (servicePort, endpoint, trace) =>
    trace.step('recent --rcheck: the client was sent here before', {
      list: endpointChain(servicePort.info.name, endpoint.key),
      seconds: servicePort.info.affinityTimeoutSeconds,
    }),
  traceEndpoint: (servicePort, endpoint, masquerade, trace) =>
    trace.step(`${endpointChain(servicePort.info.name, endpoint.key)}: DNAT`, {
      endpoint: endpoint.key,
      masquerade,
    }),
};

/** Whatever no rule matches stays as it is: it leaks to the default route or meets the host's own RST. */
function unmatched(
  table: RoutingTable,
  view: NodeView,
  flow: Flow,
  trace: Trace | undefined,
): Refusal {
  const filtered = filteredNodePort(table, view, flow);
  if (filtered !== undefined) {
    trace?.step(`filter KUBE-EXTERNAL-SERVICES: ${filtered.kind.toUpperCase()}`, {
      reason: filtered.reason,
    });
    return filtered;
  }
  trace?.step(`KUBE-SERVICES, KUBE-NODEPORTS: no rule for ${describeDestination(flow)}`);
  return REFUSAL.notOurs;
}

/** The filter's rules for node ports hold for every local address, whatever --nodeport-addresses says. */
function filteredNodePort(table: RoutingTable, view: NodeView, flow: Flow): Refusal | undefined {
  const { address, port } = flow.destination;
  if (!view.isNode(address)) return undefined;
  const frontend = table.nodePorts.get(nodePortKey(familyOf(address), flow.protocol, port));
  if (frontend === undefined) return undefined;
  const { info, categories } = frontend.servicePort;
  if (!categories.hasAny) return REFUSAL.noEndpoints;
  return info.externalPolicyLocal && categories.local.length === 0
    ? REFUSAL.noLocalEndpoints
    : undefined;
}

function draw(
  servicePort: ServicePort,
  candidates: readonly Endpoint[],
  random: Random,
  trace: Trace | undefined,
): number {
  if (trace === undefined) return walkStatisticRules(candidates.length, random);
  return walkStatisticRules(candidates.length, random, (index, probability, matched) =>
    trace.step(`statistic rule ${index + 1} of ${candidates.length}`, {
      chain: endpointChain(servicePort.info.name, candidates[index]?.key ?? ''),
      probability,
      matched,
    }),
  );
}

function traceOdds(servicePort: ServicePort, candidates: readonly Endpoint[], trace: Trace): void {
  candidates.forEach((endpoint, index) =>
    trace.step(`statistic rule ${index + 1} of ${candidates.length}`, {
      chain: endpointChain(servicePort.info.name, endpoint.key),
      endpoint: endpoint.key,
      probability: 1 / (candidates.length - index),
    }),
  );
}

function traceRoute(
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
  });
  if (route.kind !== 'forward') {
    trace.step(`filter ${filterChain(frontend, route)}: ${route.kind.toUpperCase()}`, {
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
  traceCategory(frontend.servicePort, route.scope, trace);
}

function externalReason(view: NodeView, frontend: Frontend, flow: Flow): string {
  if (!frontend.servicePort.info.externalPolicyLocal)
    return 'externalTrafficPolicy Cluster: KUBE-MARK-MASQ';
  if (view.isPod(flow.source.address)) return 'pod traffic is not bound by externalTrafficPolicy';
  if (view.isNode(flow.source.address)) return 'LOCAL traffic goes anywhere: KUBE-MARK-MASQ';
  return 'externalTrafficPolicy Local';
}

function filterChain(frontend: Frontend, refusal: Refusal): string {
  if (frontend.kind === 'clusterIP') return 'KUBE-SERVICES';
  return refusal === REFUSAL.sourceRanges ? 'KUBE-PROXY-FIREWALL' : 'KUBE-EXTERNAL-SERVICES';
}
