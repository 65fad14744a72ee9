import type { Clock, Timer } from '../../base/clock.ts';
import { emptyRoutingTable } from '../../services/routing-state.ts';
import {
  diffFrontends,
  type Frontend,
  type RoutingTable,
  type ServicePort,
} from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import type { Decision, Flow, SocketAddress, Trace } from '../flow.ts';
import type { Connection } from '../ipvs/connection.ts';
import type { DecisionStep } from '../ipvs/decision-trace.ts';
import { Ipvs } from '../ipvs/ipvs.ts';
import { type NodePortHabits, NodeView } from '../node-context.ts';
import type { ProxyMode, Reach, Stance } from '../proxy-mode.ts';
import { findFrontend } from './find-frontend.ts';
import { GracefulTermination } from './graceful-termination.ts';
import { IpvsBinding } from './ipvs-binding.ts';
import { ipvsHairpin, ipvsRoute, ipvsStance, ipvsUnmatched } from './ipvs-route.ts';
import { previewSchedule } from '../ipvs/preview-schedule.ts';
import { DEFAULT_SCHEDULER, parseIpvsScheduler } from './ipvs-scheduler-setting.ts';
import { traceIpvsSteps } from './ipvs-trace.ts';
import type { ModeOptions } from './mode-options.ts';
import {
  describeDestination,
  describeKind,
  endpointsOf,
  equalShares,
  REFUSAL,
  type Refusal,
  type Route,
} from './route.ts';
import { traceCategory } from './trace-category.ts';
import { VirtualServers } from './virtual-servers.ts';

export const IPVS_NODE_PORTS: NodePortHabits = { addresses: 'all', localhost: 'never' };

/** Below the director's 300 s for UDP and 900 s for established TCP. */
const KEEP_ALIVE_INTERVAL_MS = 240_000;

/** What kube-proxy sets; conn_reuse_mode stays at the kernel's 1 since 5.9. */
const SYSCTLS = { expire_nodest_conn: 1, expire_quiescent_template: 1 } as const;

const TABLE_FULL: Refusal = { kind: 'drop', reason: 'the connection table is full' };

/** kube-proxy's ipvs mode: a director with one virtual server for each address, port and protocol. */
export class IpvsMode implements ProxyMode {
  readonly name = 'ipvs';
  readonly #view: NodeView;
  readonly #clock: Clock;
  readonly #owns: (servicePort: ServicePort) => boolean;
  readonly #defaultScheduler: string;
  readonly #graceful: GracefulTermination;
  readonly #servers: VirtualServers;
  readonly #open = new Map<Connection, IpvsBinding>();
  #keepAlive: Timer | undefined;
  #table: RoutingTable = emptyRoutingTable({ nodeName: '', zone: '' });

  /** For who lists services and connections as ipvsadm does. */
  readonly director: Ipvs;

  constructor(options: ModeOptions) {
    const scheduler = options.ipvs?.scheduler ?? DEFAULT_SCHEDULER;
    this.#view = new NodeView(options.context, IPVS_NODE_PORTS);
    this.#clock = options.clock;
    this.#owns = options.ipvs?.owns ?? (() => true);
    this.#defaultScheduler = scheduler.scheduler;
    this.director = new Ipvs({
      clock: options.clock,
      random: options.random.fork('director'),
      sysctls: SYSCTLS,
      ...(options.ipvs?.kernel === undefined ? {} : { kernel: options.ipvs.kernel }),
      onConnectionEnd: (connection) => this.#onConnectionEnd(connection),
    });
    this.#graceful = new GracefulTermination(this.director, options.clock);
    this.#servers = new VirtualServers({
      ipvs: this.director,
      graceful: this.#graceful,
      random: options.random.fork('real servers'),
      scheduler,
      nodePortAddresses: (family) => this.#view.nodePortAddresses(family),
    });
  }

  update(table: RoutingTable): void {
    for (const { before, after } of diffFrontends(this.#table, table))
      this.#servers.sync(this.#owned(before), this.#owned(after));
    this.#table = table;
  }

  decide(flow: Flow, trace?: Trace): Decision {
    const frontend = findFrontend(this.#table, this.#view, flow);
    const route = this.#route(frontend, flow, trace);
    if (frontend === undefined || route.kind !== 'forward') return route as Refusal;
    const { protocol } = flow;
    if (protocol === 'SCTP') return REFUSAL.notOurs;
    const steps: DecisionStep[] | undefined = trace === undefined ? undefined : [];
    const verdict = this.director.schedule(
      { protocol, source: flow.source, destination: flow.destination },
      steps,
    );
    if (trace !== undefined && steps !== undefined) traceIpvsSteps(steps, trace);
    if (verdict.kind === 'pass') return REFUSAL.notOurs;
    if (verdict.kind === 'refused') return REFUSAL.noEndpoints;
    if (verdict.kind === 'dropped') return TABLE_FULL;
    const { connection } = verdict;
    const endpoint: SocketAddress = {
      address: verdict.destination.address,
      port: connection.destinationPort,
    };
    const masquerade = route.masquerade || this.#isHairpin(frontend.servicePort, flow, endpoint);
    trace?.step('forwarded', { endpoint: verdict.destination.name, masquerade });
    return { kind: 'forward', endpoint, masquerade, binding: this.#bind(connection) };
  }

  reach(flow: Flow, trace?: Trace): Reach {
    const frontend = findFrontend(this.#table, this.#view, flow);
    const route = this.#route(frontend, flow, trace);
    if (frontend === undefined || route.kind !== 'forward') {
      const { kind, reason } = route as Refusal;
      return { verdict: kind, reason, endpoints: [] };
    }
    const { servicePort } = frontend;
    trace?.step('virtual server: real servers have equal weights, in an order left to chance', {
      scheduler: this.#schedulerOf(servicePort),
      ...(servicePort.info.affinityTimeoutSeconds > 0
        ? { persistentSeconds: servicePort.info.affinityTimeoutSeconds }
        : {}),
    });
    if (trace !== undefined) this.#traceServers(flow, trace);
    const endpoints = equalShares(
      endpointsOf(servicePort, route),
      (endpoint) => route.masquerade || ipvsHairpin(this.#table, flow, endpoint),
    );
    return { verdict: 'forward', reason: '', endpoints };
  }

  /** Never chance alone: every scheduler keeps a position or counts. */
  odds(): undefined {
    return undefined;
  }

  addresses(frontend: Frontend): readonly string[] {
    return frontend.address === undefined
      ? this.#view.nodePortAddresses(frontend.family)
      : [frontend.address];
  }

  stance(frontend: Frontend): Stance {
    return ipvsStance(frontend);
  }

  async close(): Promise<void> {
    this.#keepAlive?.cancel();
    this.#graceful.close();
    this.#open.clear();
    await this.director.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #owned(frontend: Frontend | undefined): Frontend | undefined {
    return frontend !== undefined && this.#owns(frontend.servicePort) ? frontend : undefined;
  }

  #route(frontend: Frontend | undefined, flow: Flow, trace: Trace | undefined): Route {
    const route =
      frontend === undefined
        ? ipvsUnmatched(this.#table, this.#view, flow)
        : ipvsRoute(this.#view, frontend, flow);
    if (trace !== undefined) traceRoute(frontend, flow, route, trace);
    return route;
  }

  /** What the scheduler would look at, without making a connection. */
  #traceServers({ protocol, source, destination }: Flow, trace: Trace): void {
    if (protocol === 'SCTP') return;
    const service = this.director.service({ kind: 'address', protocol, ...destination });
    if (service !== undefined)
      traceIpvsSteps(previewSchedule(service, { source, destination }), trace);
  }

  #schedulerOf({ info }: ServicePort): string {
    const parsed = info.ipvsScheduler === '' ? undefined : parseIpvsScheduler(info.ipvsScheduler);
    return parsed?.kind === 'ok' ? parsed.setting.scheduler : this.#defaultScheduler;
  }

  #isHairpin(servicePort: ServicePort, flow: Flow, chosen: SocketAddress): boolean {
    if (flow.source.address !== chosen.address) return false;
    const endpoint = servicePort.endpoints.find(
      ({ address, port }) => address === chosen.address && port === chosen.port,
    );
    return endpoint !== undefined && ipvsHairpin(this.#table, flow, endpoint);
  }

  #bind(connection: Connection): IpvsBinding {
    const binding = new IpvsBinding(this.director, connection, () => {
      if (this.#open.get(connection) === binding) this.#open.delete(connection);
    });
    this.#open.set(connection, binding);
    this.#keepAlive ??= this.#clock.setTimer(KEEP_ALIVE_INTERVAL_MS, () => this.#refresh());
    return binding;
  }

  #refresh(): void {
    this.#keepAlive = undefined;
    for (const binding of this.#open.values()) binding.keepAlive();
    if (this.#open.size > 0)
      this.#keepAlive = this.#clock.setTimer(KEEP_ALIVE_INTERVAL_MS, () => this.#refresh());
  }

  /** Entries go by their timers, which is no news, or because their real server was deleted. */
  #onConnectionEnd(connection: Connection): void {
    const binding = this.#open.get(connection);
    if (binding === undefined || connection.destination.available) return;
    this.#open.delete(connection);
    binding.revoke();
  }
}

function traceRoute(frontend: Frontend | undefined, flow: Flow, route: Route, trace: Trace): void {
  if (frontend === undefined)
    trace.step(
      route.kind === 'reject'
        ? 'KUBE-IPVS-FILTER: held by kube-ipvs0, but no virtual server: REJECT'
        : `no virtual server for ${describeDestination(flow)}`,
    );
  else {
    const service = formatServicePortName(frontend.servicePort.info.name);
    trace.step(`${describeDestination(flow)} is a ${describeKind(frontend)}`, { service });
    if (route === REFUSAL.sourceRanges)
      trace.step('KUBE-SOURCE-RANGES-FIREWALL: DROP', { reason: route.reason });
    else if (route.kind === 'forward') {
      traceCategory(frontend.servicePort, route.scope, trace);
      if (route.masquerade) trace.step('KUBE-MARK-MASQ');
    } else trace.step('virtual server without real servers', { reason: route.reason });
  }
}
