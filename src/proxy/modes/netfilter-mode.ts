import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import { emptyRoutingTable } from '../../services/routing-state.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import type { Decision, Flow, Forward, Trace } from '../flow.ts';
import { type NodePortHabits, NodeView } from '../node-context.ts';
import type { Odds, ProxyMode, ProxyModeName, Reach, Stance } from '../proxy-mode.ts';
import { AffinityMemory, type ClientMemory } from './affinity-memory.ts';
import { findFrontend } from './find-frontend.ts';
import type { ModeOptions } from './mode-options.ts';
import { netfilterRoute, netfilterStance } from './netfilter-route.ts';
import {
  endpointsOf,
  equalShares,
  type ForwardRoute,
  isHairpin,
  type Refusal,
  type Route,
} from './route.ts';

/** What tells iptables mode and nftables mode apart. */
export interface NetfilterStyle {
  readonly name: ProxyModeName;
  readonly nodePorts: NodePortHabits;
  /** True: source ranges are checked before anything else. */
  readonly guardFirst: boolean;
  readonly createMemory: () => ClientMemory;
  /** What becomes of a flow that is for no frontend. */
  unmatched(table: RoutingTable, view: NodeView, flow: Flow, trace: Trace | undefined): Refusal;
  /** Index of the endpoint that chance gives. */
  draw(
    servicePort: ServicePort,
    candidates: readonly Endpoint[],
    random: Random,
    trace: Trace | undefined,
  ): number;
  traceRoute(view: NodeView, frontend: Frontend, flow: Flow, route: Route, trace: Trace): void;
  /** Tells each candidate's part in the draw that is not made. */
  traceOdds(servicePort: ServicePort, candidates: readonly Endpoint[], trace: Trace): void;
  traceAffinity(servicePort: ServicePort, endpoint: Endpoint, trace: Trace): void;
  traceEndpoint(
    servicePort: ServicePort,
    endpoint: Endpoint,
    masquerade: boolean,
    trace: Trace,
  ): void;
}

/** kube-proxy's rule-based modes: policy by rules, an independent random draw for each connection. */
export class NetfilterMode implements ProxyMode {
  readonly name: ProxyModeName;
  readonly #style: NetfilterStyle;
  readonly #view: NodeView;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #affinity: AffinityMemory;
  #table: RoutingTable = emptyRoutingTable({ nodeName: '', zone: '' });

  constructor(style: NetfilterStyle, options: ModeOptions) {
    this.name = style.name;
    this.#style = style;
    this.#view = new NodeView(options.context, style.nodePorts);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#affinity = new AffinityMemory(style.createMemory);
  }

  update(table: RoutingTable): void {
    for (const { key, after } of this.#table.servicePorts.differences(table.servicePorts))
      this.#affinity.prune(key, after);
    this.#table = table;
  }

  decide(flow: Flow, trace?: Trace): Decision {
    const frontend = findFrontend(this.#table, this.#view, flow);
    if (frontend === undefined) return this.#style.unmatched(this.#table, this.#view, flow, trace);
    const route = this.#route(frontend, flow, trace);
    if (route.kind !== 'forward') return route;
    const endpoint = this.#choose(frontend.servicePort, route, flow, trace);
    const forward = forwardTo(endpoint, route, flow);
    if (trace !== undefined)
      this.#style.traceEndpoint(frontend.servicePort, endpoint, forward.masquerade, trace);
    return forward;
  }

  reach(flow: Flow, trace?: Trace): Reach {
    const frontend = findFrontend(this.#table, this.#view, flow);
    const route =
      frontend === undefined
        ? this.#style.unmatched(this.#table, this.#view, flow, trace)
        : this.#route(frontend, flow, trace);
    if (frontend === undefined || route.kind !== 'forward') return refusedReach(route as Refusal);
    const { servicePort } = frontend;
    const timeout = servicePort.info.affinityTimeoutSeconds;
    if (timeout > 0)
      trace?.step('session affinity: a client returns to its endpoint', { seconds: timeout });
    const candidates = endpointsOf(servicePort, route);
    if (trace !== undefined) this.#style.traceOdds(servicePort, candidates, trace);
    const endpoints = equalShares(
      candidates,
      (endpoint) => route.masquerade || isHairpin(flow, endpoint),
    );
    return { verdict: 'forward', reason: '', endpoints };
  }

  odds(flow: Flow): Odds | undefined {
    const frontend = findFrontend(this.#table, this.#view, flow);
    if (frontend === undefined || frontend.servicePort.info.affinityTimeoutSeconds > 0)
      return undefined;
    const route = this.#route(frontend, flow, undefined);
    if (route.kind !== 'forward') return undefined;
    const forwards = endpointsOf(frontend.servicePort, route).map((endpoint) =>
      forwardTo(endpoint, route, flow),
    );
    return { forwards, seed: this.#random.uint32() };
  }

  addresses(frontend: Frontend): readonly string[] {
    return frontend.address === undefined
      ? this.#view.nodePortAddresses(frontend.family)
      : [frontend.address];
  }

  stance(frontend: Frontend): Stance {
    return netfilterStance(frontend);
  }

  /** Holds nothing that has to be released. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #route(frontend: Frontend, flow: Flow, trace: Trace | undefined): Route {
    const route = netfilterRoute(this.#view, frontend, flow, this.#style.guardFirst);
    if (trace !== undefined) this.#style.traceRoute(this.#view, frontend, flow, route, trace);
    return route;
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
    const remembered = candidates.find(
      ({ key }) => this.#affinity.find(servicePort.key, key)?.has(client, now, windowMs) === true,
    );
    if (remembered !== undefined && trace !== undefined)
      this.#style.traceAffinity(servicePort, remembered, trace);
    const endpoint = remembered ?? this.#draw(servicePort, candidates, trace);
    this.#affinity.of(servicePort.key, endpoint.key).note(client, now, windowMs);
    return endpoint;
  }

  #draw(
    servicePort: ServicePort,
    candidates: readonly Endpoint[],
    trace: Trace | undefined,
  ): Endpoint {
    const index = this.#style.draw(servicePort, candidates, this.#random, trace);
    return candidates[index] as Endpoint;
  }
}

function forwardTo(endpoint: Endpoint, route: ForwardRoute, flow: Flow): Forward {
  return { kind: 'forward', endpoint, masquerade: route.masquerade || isHairpin(flow, endpoint) };
}

function refusedReach(refusal: Refusal): Reach {
  return { verdict: refusal.kind, reason: refusal.reason, endpoints: [] };
}
