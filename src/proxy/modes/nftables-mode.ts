import type { Random } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import { AddressMatcher } from '../address-matcher.ts';
import type { Flow, Trace } from '../flow.ts';
import type { NodePortHabits, NodeView } from '../node-context.ts';
import type { ProxyMode } from '../proxy-mode.ts';
import type { ModeOptions } from './mode-options.ts';
import { NetfilterMode, type NetfilterStyle } from './netfilter-mode.ts';
import { nftEndpointName, nftServiceChain } from './nftables-names.ts';
import { describeDestination, describeKind, REFUSAL, type Refusal, type Route } from './route.ts';
import { TimeoutSet } from './timeout-set.ts';
import { traceCategory } from './trace-category.ts';

/** kube-proxy's nftables mode: one lookup in a verdict map, `numgen random`, affinity by sets. */
export function createNftablesMode(options: ModeOptions): ProxyMode {
  const serviceCIDRs = new AddressMatcher(options.context.serviceCIDRs);
  return new NetfilterMode(
    {
      ...NFTABLES,
      unmatched: (table, _view, flow, trace) => unmatched(table, serviceCIDRs, flow, trace),
    },
    options,
  );
}

export const NFTABLES_NODE_PORTS: NodePortHabits = { addresses: 'primary', localhost: 'never' };

const NFTABLES: Omit<NetfilterStyle, 'unmatched'> = {
  name: 'nftables',
  nodePorts: NFTABLES_NODE_PORTS,
  guardFirst: true,
  createMemory: () => new TimeoutSet(),
  draw,
  traceRoute,
  traceOdds,
  traceAffinity: (servicePort, endpoint, trace) =>
    trace.step('the client is in an affinity set', {
      set: nftEndpointName('affinity', servicePort.info.name, endpoint),
      seconds: servicePort.info.affinityTimeoutSeconds,
    }),
  traceEndpoint: (servicePort, endpoint, masquerade, trace) =>
    trace.step(`${nftEndpointName('endpoint', servicePort.info.name, endpoint)}: dnat`, {
      endpoint: endpoint.key,
      masquerade,
    }),
};

/** Chain cluster-ips-check: refuses unused ports of Service addresses, and addresses that no Service has. */
function unmatched(
  table: RoutingTable,
  serviceCIDRs: AddressMatcher,
  flow: Flow,
  trace: Trace | undefined,
): Refusal {
  const { address } = flow.destination;
  trace?.step(`@service-ips, @service-nodeports: nothing for ${describeDestination(flow)}`);
  if (isClusterIP(table, address)) {
    trace?.step('cluster-ips-check: in @cluster-ips: reject', {
      reason: REFUSAL.unusedPort.reason,
    });
    return REFUSAL.unusedPort;
  }
  if (!serviceCIDRs.matches(address)) return REFUSAL.notOurs;
  trace?.step('cluster-ips-check: in a service CIDR: drop', {
    reason: REFUSAL.unusedAddress.reason,
  });
  return REFUSAL.unusedAddress;
}

function isClusterIP(table: RoutingTable, address: string): boolean {
  for (const frontend of table.addresses.get(address)?.values() ?? [])
    if (frontend.kind === 'clusterIP') return true;
  return false;
}

function draw(
  servicePort: ServicePort,
  candidates: readonly Endpoint[],
  random: Random,
  trace: Trace | undefined,
): number {
  const index = random.below(candidates.length);
  trace?.step(`numgen random mod ${candidates.length}`, {
    chain: nftServiceChain('service', servicePort.info.name),
    value: index,
  });
  return index;
}

function traceOdds(servicePort: ServicePort, candidates: readonly Endpoint[], trace: Trace): void {
  candidates.forEach((endpoint, value) =>
    trace.step(`numgen random mod ${candidates.length} vmap`, {
      value,
      chain: nftEndpointName('endpoint', servicePort.info.name, endpoint),
      endpoint: endpoint.key,
      probability: 1 / candidates.length,
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
  const service = formatServicePortName(info.name);
  const map = frontend.kind === 'nodePort' ? 'service-nodeports' : 'service-ips';
  if (route === REFUSAL.sourceRanges) {
    trace.step(`@firewall-ips: ${nftServiceChain('firewall', info.name)}: drop`, {
      service,
      reason: route.reason,
    });
    return;
  }
  if (route.kind !== 'forward') {
    const refusals =
      frontend.kind === 'nodePort' ? 'no-endpoint-nodeports' : 'no-endpoint-services';
    trace.step(`@${refusals}: ${route.kind}`, { service, reason: route.reason });
    return;
  }
  trace.step(`@${map}: ${describeDestination(flow)} is a ${describeKind(frontend)}`, { service });
  if (frontend.kind !== 'clusterIP')
    trace.step(
      `${nftServiceChain('external', info.name)}: ${externalReason(view, frontend, flow)}`,
    );
  else if (route.masquerade)
    trace.step(
      `${nftServiceChain(route.scope === 'local' ? 'local' : 'service', info.name)}: jump mark-for-masquerade`,
      {
        reason: view.context.masqueradeAll ? '--masquerade-all' : 'the source is not a local pod',
      },
    );
  traceCategory(frontend.servicePort, route.scope, trace);
}

function externalReason(view: NodeView, frontend: Frontend, flow: Flow): string {
  if (!frontend.servicePort.info.externalPolicyLocal) return 'jump mark-for-masquerade';
  if (view.isPod(flow.source.address)) return 'short-circuit pod traffic';
  if (view.isNode(flow.source.address)) return 'masquerade and short-circuit local traffic';
  return 'externalTrafficPolicy Local';
}
