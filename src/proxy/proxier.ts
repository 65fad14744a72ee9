import type { Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { Clock } from '../base/clock.ts';
import type { Cidr } from '../base/ip.ts';
import type { Resource } from '../base/lifetime.ts';
import { createMetrics, type Metrics } from '../base/metrics.ts';
import { RoutingState } from '../services/routing-state.ts';
import { nodePortKey, portKey, type RoutingTable } from '../services/routing-table.ts';
import { AddressMatcher } from './address-matcher.ts';
import type { ClosedConnections } from './closed-connections.ts';
import { ConnectionRoutes, type TrackedConnection } from './connection-routes.ts';
import type { Dialer } from './dialer.ts';
import type { EngineConnection, Route } from './engine/engine.ts';
import type { Flow, SocketAddress } from './flow.ts';
import { NodePortChecks } from './health/node-port-checks.ts';
import { ProxyHealth } from './health/proxy-health.ts';
import type { Ingress, NodeProxy } from './ingress.ts';
import { ListenerPlan } from './listener-plan.ts';
import { familyOf, type NodeContext, nodePortAddressesOf } from './node-context.ts';
import { ProxyMetrics } from './proxy-metrics.ts';
import type { ProxyMode } from './proxy-mode.ts';
import { DEFAULT_SYNC_PERIODS, type SyncPeriods, SyncRunner } from './sync-runner.ts';
import type { DatagramListener } from './udp/datagram-listener.ts';
import { UdpForwarder, type UdpFlow } from './udp/udp-forwarder.ts';

export interface ProxierOptions {
  readonly nodeName: string;
  /** The node's zone label; empty: none. */
  readonly zone: string;
  /** Taken: it ends with the proxier. */
  readonly mode: ProxyMode;
  readonly context: NodeContext;
  /** Clients with these addresses enter the cluster at this node, as do those with the node's own. */
  readonly podCIDRs: readonly Cidr[];
  readonly ingress: Ingress;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Takes kube-proxy's metrics: one registry a node. Absent: one of its own. */
  readonly registry?: Metrics;
  readonly periods?: SyncPeriods;
  readonly maxUdpFlows?: number;
}

/**
 * One node's kube-proxy: takes Services and EndpointSlices, keeps the node's listeners in step with them, and
 * tells each flow where to go. Nothing is opened before both first lists are complete.
 */
export class Proxier implements NodeProxy, Resource {
  readonly nodeName: string;
  readonly mode: ProxyMode;
  readonly health: ProxyHealth;
  readonly metrics: ProxyMetrics;
  readonly registry: Metrics;
  readonly #clock: Clock;
  readonly #checks: NodePortChecks;
  readonly #state: RoutingState;
  readonly #ingress: Ingress;
  readonly #own: ReadonlySet<string>;
  readonly #pods: AddressMatcher;
  readonly #runner: SyncRunner;
  readonly #plan: ListenerPlan;
  readonly #routes: ConnectionRoutes;
  readonly #udp: UdpForwarder;
  #awaited = new Set<'services' | 'slices'>(['services', 'slices']);
  #synced: RoutingTable;
  #lastSync: 'all' | { readonly before: RoutingTable; readonly after: RoutingTable } = 'all';

  constructor(options: ProxierOptions) {
    const { nodeName, zone, mode, context, clock, dialer } = options;
    this.nodeName = nodeName;
    this.mode = mode;
    this.#ingress = options.ingress;
    this.#state = new RoutingState({ nodeName, zone }, { startedAtMs: clock.wallNow() });
    this.#synced = this.#state.table;
    this.#clock = clock;
    const periods = options.periods ?? DEFAULT_SYNC_PERIODS;
    this.health = new ProxyHealth(clock, periods.retryIntervalMs);
    this.registry = options.registry ?? createMetrics();
    this.metrics = new ProxyMetrics(this.registry, clock, {
      services: () => this.#state.pendingServices,
      endpoints: () => this.#state.pendingEndpoints,
    });
    this.#checks = new NodePortChecks({
      addresses: nodePortAddressesOf(context),
      health: this.health,
      clock,
      events: this.#ingress.events,
    });
    this.#own = new Set(context.nodeIPs);
    this.#pods = new AddressMatcher(options.podCIDRs);
    this.#runner = new SyncRunner(clock, periods, () => this.#sync());
    this.#plan = new ListenerPlan(mode);
    this.#routes = new ConnectionRoutes(context, dialer, clock);
    const maxFlows = options.maxUdpFlows;
    this.#udp = new UdpForwarder({
      clock,
      dialer,
      context,
      ...(maxFlows === undefined ? {} : { maxFlows }),
    });
    this.#ingress.join(this);
  }

  /** What flows are decided by now. */
  get table(): RoutingTable {
    return this.#synced;
  }

  /** Keys of the service ports that the last sync changed; a full one does them all. */
  get lastChanged(): 'all' | ReadonlySet<string> {
    if (this.#lastSync === 'all') return 'all';
    const { before, after } = this.#lastSync;
    const changes = before.servicePorts.differences(after.servicePorts);
    return new Set(Array.from(changes, ({ key }) => key));
  }

  /** Forwarded TCP connections, as {@link lookAtConnections} has found them or later. */
  get connections(): Iterable<TrackedConnection> {
    return this.#routes.open;
  }

  /**
   * Notes what has become of them until now, and what has passed. Otherwise the engine's threads tell some milliseconds
   * later, and bytes are known to within ten seconds.
   */
  lookAtConnections(): void {
    this.#ingress.catchUp();
    this.#routes.look();
  }

  /** Those that ended a short while ago, likewise. */
  get closedConnections(): ClosedConnections {
    return this.#routes.closed;
  }

  get udpFlows(): Iterable<UdpFlow> {
    return this.#udp.flows;
  }

  setService(service: Service): void {
    this.#state.setService(service);
    this.metrics.serviceChanged();
    this.#changed();
  }

  deleteService(meta: { readonly namespace?: string; readonly name?: string }): void {
    this.#state.deleteService(meta);
    this.metrics.serviceChanged();
    this.#changed();
  }

  setSlice(slice: EndpointSlice): void {
    this.#state.setSlice(slice);
    this.metrics.endpointChanged();
    this.#changed();
  }

  deleteSlice(slice: EndpointSlice): void {
    this.#state.deleteSlice(slice);
    this.metrics.endpointChanged();
    this.#changed();
  }

  setZone(zone: string): void {
    this.#state.setZone(zone);
    this.#changed();
  }

  /** The first list of a kind is complete. Flows are served once both are. */
  listed(kind: 'services' | 'slices'): void {
    if (this.#awaited.delete(kind)) this.#changed();
  }

  owns(address: string): boolean {
    return this.#own.has(address) || this.#pods.matches(address);
  }

  route(connection: EngineConnection): Route {
    const { source, destination } = connection;
    const flow: Flow = { protocol: 'TCP', source, destination };
    return this.#routes.routeOf(this.mode.decide(flow), connection, () => this.mode.odds(flow));
  }

  datagram(listener: DatagramListener, message: Buffer, source: SocketAddress): void {
    this.#udp.forward(listener, message, source, () =>
      this.mode.decide({ protocol: 'UDP', source, destination: listener.local }),
    );
  }

  /** Stops listening and ends the mode; TCP connections go on, they belong to the engine. */
  async close(): Promise<void> {
    this.#runner.stop();
    this.#routes.close();
    this.#ingress.leave(this);
    this.#udp.endAll();
    await Promise.all([this.mode.close(), this.#checks.close(), this.#ingress.settled()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Once all listeners are in step with what was synced, or their problems reported. */
  async settled(): Promise<void> {
    await Promise.all([this.#ingress.settled(), this.#checks.settled()]);
  }

  #changed(): void {
    this.health.queued();
    if (this.#awaited.size === 0) this.#runner.request();
  }

  #sync(): void {
    const startedAt = this.#clock.now();
    const before = this.#synced;
    const { table, triggeredAtMs } = this.#state.build();
    this.#synced = table;
    this.mode.update(table);
    this.#ingress.decisionsChanged();
    this.#listen(before, table);
    this.#checks.update(table.healthCheckNodePorts);
    this.#reconcileFlows();
    this.health.updated();
    const full = before.version === 0;
    this.#lastSync = full ? 'all' : { before, after: table };
    this.metrics.synced({
      before,
      after: table,
      full,
      startedAt,
      triggeredAtMs,
    });
  }

  #listen(before: RoutingTable, after: RoutingTable): void {
    for (const { kind, spot, purpose } of this.#plan.next(before, after))
      if (kind === 'claim') this.#ingress.claim(spot, this, purpose);
      else {
        this.#ingress.release(spot, this);
        if (spot.protocol === 'UDP') this.#udp.endAllTo(spot);
      }
  }

  #reconcileFlows(): void {
    const startedAt = this.#clock.now();
    const known = this.#udp.counters.stale;
    this.#udp.endStale((flow) => !this.#serves(flow));
    this.metrics.reconciled(startedAt, this.#udp.counters.stale - known);
  }

  /** True while the flow's endpoint serves what the client dialled; policies and hints do not matter. */
  #serves({ destination, endpoint }: UdpFlow): boolean {
    const { address, port } = destination;
    const frontend =
      this.#synced.addresses.get(address)?.get(portKey('UDP', port)) ??
      this.#synced.nodePorts.get(nodePortKey(familyOf(address), 'UDP', port));
    return (
      frontend?.servicePort.endpoints.some(
        (known) =>
          known.serving && known.address === endpoint.address && known.port === endpoint.port,
      ) === true
    );
  }
}
