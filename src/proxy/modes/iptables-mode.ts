import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import { emptyRoutingTable } from '../../services/routing-state.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import type { Decision, Flow, Trace } from '../flow.ts';
import { NodeView } from '../node-context.ts';
import type { ProxyMode, Reach, Stance } from '../proxy-mode.ts';
import { endpointChain } from './chain-names.ts';
import { findFrontend } from './find-frontend.ts';
import { traceIptablesRoute } from './iptables-trace.ts';
import type { ModeOptions } from './mode-options.ts';
import { netfilterRoute, netfilterStance } from './netfilter-route.ts';
import { RecentList } from './recent-list.ts';
import { endpointsOf, equalShares, type ForwardRoute, isHairpin, REFUSAL } from './route.ts';
import { walkStatisticRules } from './statistic-match.ts';

const NODE_PORTS = { addresses: 'all', localhost: true } as const;
const GUARD = { guardFirst: false } as const;

/** kube-proxy's iptables mode: an independent random draw for each connection. */
export class IptablesMode implements ProxyMode {
  readonly name = 'iptables';
  readonly #view: NodeView;
  readonly #clock: Clock;
  readonly #random: Random;
  /** By service port, then endpoint: the lists of those that have session affinity. */
  readonly #recent = new Map<string, Map<string, RecentList>>();
  #table: RoutingTable = emptyRoutingTable({ nodeName: '', zone: '' });

  constructor(options: ModeOptions) {
    this.#view = new NodeView(options.context, NODE_PORTS);
    this.#clock = options.clock;
    this.#random = options.random;
  }

  update(table: RoutingTable): void {
    for (const { key, after } of this.#table.servicePorts.differences(table.servicePorts))
      this.#forgetStale(key, after);
    this.#table = table;
  }

  decide(flow: Flow, trace?: Trace): Decision {
    const frontend = findFrontend(this.#table, this.#view, flow);
    if (frontend === undefined) {
      trace?.step('KUBE-SERVICES, KUBE-NODEPORTS: no rule matches', { verdict: 'pass' });
      return REFUSAL.notOurs;
    }
    const route = netfilterRoute(this.#view, frontend, flow, GUARD);
    if (trace !== undefined) traceIptablesRoute(this.#view, frontend, flow, route, trace);
    if (route.kind !== 'forward') return route;
    const endpoint = this.#choose(frontend.servicePort, route, flow, trace);
    const masquerade = route.masquerade || isHairpin(flow, endpoint);
    trace?.step(`${endpointChain(frontend.servicePort.info.name, endpoint.key)}: DNAT`, {
      endpoint: endpoint.key,
      masquerade,
    });
    return { kind: 'forward', endpoint, masquerade };
  }

  reach(flow: Flow, trace?: Trace): Reach {
    const frontend = findFrontend(this.#table, this.#view, flow);
    if (frontend === undefined) {
      trace?.step('KUBE-SERVICES, KUBE-NODEPORTS: no rule matches', { verdict: 'pass' });
      return { verdict: 'pass', reason: REFUSAL.notOurs.reason, endpoints: [] };
    }
    const route = netfilterRoute(this.#view, frontend, flow, GUARD);
    if (trace !== undefined) traceIptablesRoute(this.#view, frontend, flow, route, trace);
    if (route.kind !== 'forward')
      return { verdict: route.kind, reason: route.reason, endpoints: [] };
    const endpoints = equalShares(
      endpointsOf(frontend.servicePort, route),
      (endpoint) => route.masquerade || isHairpin(flow, endpoint),
    );
    return { verdict: 'forward', reason: '', endpoints };
  }

  addresses(frontend: Frontend): readonly string[] {
    return frontend.address === undefined
      ? this.#view.nodePortAddresses(frontend.family)
      : [frontend.address];
  }

  stance(frontend: Frontend): Stance {
    return netfilterStance(frontend);
  }

  #choose(
    servicePort: ServicePort,
    route: ForwardRoute,
    flow: Flow,
    trace: Trace | undefined,
  ): Endpoint {
    const candidates = endpointsOf(servicePort, route);
    const windowMs = servicePort.info.affinityTimeoutSeconds * 1000;
    if (windowMs === 0) return this.#draw(servicePort, candidates, trace);
    const now = this.#clock.now();
    const client = flow.source.address;
    const lists = this.#recent.get(servicePort.key);
    const remembered = candidates.find(
      (endpoint) => lists?.get(endpoint.key)?.check(client, now, windowMs) === true,
    );
    if (remembered !== undefined)
      trace?.step('recent --rcheck: the client was sent here before', {
        list: endpointChain(servicePort.info.name, remembered.key),
        seconds: servicePort.info.affinityTimeoutSeconds,
      });
    const endpoint = remembered ?? this.#draw(servicePort, candidates, trace);
    this.#listOf(servicePort, endpoint).set(client, now);
    return endpoint;
  }

  #draw(
    servicePort: ServicePort,
    candidates: readonly Endpoint[],
    trace: Trace | undefined,
  ): Endpoint {
    const onRule =
      trace === undefined
        ? undefined
        : (index: number, probability: number, matched: boolean): void =>
            trace.step(`statistic rule ${index + 1} of ${candidates.length}`, {
              chain: endpointChain(servicePort.info.name, candidates[index]?.key ?? ''),
              probability,
              matched,
            });
    return candidates[walkStatisticRules(candidates.length, this.#random, onRule)] as Endpoint;
  }

  #listOf(servicePort: ServicePort, endpoint: Endpoint): RecentList {
    const lists = this.#recent.get(servicePort.key) ?? new Map<string, RecentList>();
    this.#recent.set(servicePort.key, lists);
    const list = lists.get(endpoint.key) ?? new RecentList();
    lists.set(endpoint.key, list);
    return list;
  }

  /** A list lives as long as rules name it: while its endpoint has a chain and affinity is on. */
  #forgetStale(key: string, servicePort: ServicePort | undefined): void {
    const lists = this.#recent.get(key);
    if (lists === undefined) return;
    if (servicePort === undefined || servicePort.info.affinityTimeoutSeconds === 0) {
      this.#recent.delete(key);
      return;
    }
    const { cluster, local } = servicePort.categories;
    const kept = new Set([...cluster, ...local].map((endpoint) => endpoint.key));
    for (const endpointKey of lists.keys()) if (!kept.has(endpointKey)) lists.delete(endpointKey);
  }
}
