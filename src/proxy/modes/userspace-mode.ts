import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import { emptyRoutingTable } from '../../services/routing-state.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import type { Decision, Flow, Relay, Trace } from '../flow.ts';
import { NodeView } from '../node-context.ts';
import type { ProxyMode, Reach, Stance } from '../proxy-mode.ts';
import { findFrontend } from './find-frontend.ts';
import type { ModeOptions } from './mode-options.ts';
import { ProxyPorts } from './proxy-ports.ts';
import { RoundRobinBalancer } from './round-robin-balancer.ts';
import { describeDestination, describeKind, equalShares, REFUSAL, type Refusal } from './route.ts';

const NODE_PORTS = { addresses: 'all', localhost: 'always' } as const;

/** One try after the other, each with the next endpoint (EndpointDialTimeouts). */
const DIAL_TIMEOUTS_MS = [250, 500, 1000, 2000] as const;
/** What a Service without affinity pins, so that turning it on later uses this. */
const DEFAULT_AFFINITY_TIMEOUT_SECONDS = 10_800;
/** `--udp-timeout`. */
const UDP_IDLE_TIMEOUT_MS = 250;

const NO_ENDPOINTS: Refusal = {
  kind: 'reject',
  reason: 'the service port has no endpoints: the connection is accepted and closed',
  afterAccept: true,
};
const UNREACHABLE: Refusal = {
  kind: 'reject',
  reason: 'no endpoint could be reached in four tries: the connection is closed',
  afterAccept: true,
};

/**
 * kube-proxy's userspace mode, as of 1.25: a program between two connections. It knows neither traffic
 * policies nor source ranges nor terminating endpoints, and the client's address is always lost.
 */
export class UserspaceMode implements ProxyMode {
  readonly name = 'userspace';
  /** For who writes the rules that lead here. */
  readonly ports: ProxyPorts;
  readonly #view: NodeView;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #balancers = new Map<string, RoundRobinBalancer>();
  /** Affinity timeouts in seconds as first seen: upstream never updates them. */
  readonly #pinnedTimeouts = new Map<string, number>();
  #table: RoutingTable = emptyRoutingTable({ nodeName: '', zone: '' });

  constructor(options: ModeOptions) {
    this.#view = new NodeView(options.context, NODE_PORTS);
    this.#clock = options.clock;
    this.#random = options.random;
    this.ports = new ProxyPorts(options.random.fork('proxy ports'));
  }

  update(table: RoutingTable): void {
    for (const { key, after } of this.#table.servicePorts.differences(table.servicePorts))
      if (after === undefined) {
        this.#balancers.delete(key);
        this.#pinnedTimeouts.delete(key);
        this.ports.release(key);
      } else {
        if (!this.#pinnedTimeouts.has(key)) this.#pinnedTimeouts.set(key, timeoutOf(after));
        this.#balancers.get(key)?.setEndpoints(readyEndpoints(after));
      }
    this.#table = table;
  }

  decide(flow: Flow, trace?: Trace): Decision {
    const frontend = this.#find(flow, trace);
    if (frontend === undefined) return REFUSAL.notOurs;
    const { servicePort } = frontend;
    const client = servicePort.info.affinityTimeoutSeconds > 0 ? flow.source.address : undefined;
    const balancer = this.#balancerOf(servicePort);
    const remembered = client === undefined ? undefined : balancer.remembered(client);
    if (remembered !== undefined) {
      trace?.step('session affinity: the client was sent here before', {
        endpoint: remembered.key,
      });
      return this.#forward(balancer, remembered, client, 0);
    }
    return this.#next(balancer, client, 0, trace);
  }

  reach(flow: Flow, trace?: Trace): Reach {
    const frontend = this.#find(flow, trace);
    if (frontend === undefined)
      return { verdict: 'pass', reason: REFUSAL.notOurs.reason, endpoints: [] };
    const ready = readyEndpoints(frontend.servicePort);
    trace?.step('userspace proxy: round robin over the ready endpoints', { usable: ready.length });
    for (const { key } of ready)
      trace?.step('round robin: in an order left to chance', {
        endpoint: key,
        probability: 1 / ready.length,
      });
    if (ready.length === 0)
      return { verdict: 'reject', reason: NO_ENDPOINTS.reason, endpoints: [] };
    return { verdict: 'forward', reason: '', endpoints: equalShares(ready, () => true) };
  }

  /** Never chance alone: endpoints take turns. */
  odds(): undefined {
    return undefined;
  }

  addresses(frontend: Frontend): readonly string[] {
    return frontend.address === undefined
      ? this.#view.nodePortAddresses(frontend.family)
      : [frontend.address];
  }

  /** Its sockets are open whatever stands behind them. */
  stance(): Stance {
    return 'mixed';
  }

  /** Holds nothing that has to be released. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #find(flow: Flow, trace: Trace | undefined): Frontend | undefined {
    // Upstream: SCTP needs a proxier that does not terminate connections.
    const frontend =
      flow.protocol === 'SCTP' ? undefined : findFrontend(this.#table, this.#view, flow);
    if (frontend === undefined)
      trace?.step('KUBE-PORTALS-CONTAINER, KUBE-NODEPORT-CONTAINER: no rule matches');
    else
      trace?.step(
        `KUBE-PORTALS-CONTAINER: ${describeDestination(flow)} is a ${describeKind(frontend)}`,
        { service: formatServicePortName(frontend.servicePort.info.name) },
      );
    return frontend;
  }

  #next(
    balancer: RoundRobinBalancer,
    client: string | undefined,
    attempt: number,
    trace?: Trace,
  ): Decision {
    const endpoint = balancer.take(client);
    if (endpoint === undefined) {
      trace?.step('round robin: no endpoints', { reason: NO_ENDPOINTS.reason });
      return NO_ENDPOINTS;
    }
    trace?.step('round robin: next endpoint', { endpoint: endpoint.key, masquerade: true });
    return this.#forward(balancer, endpoint, client, attempt);
  }

  #forward(
    balancer: RoundRobinBalancer,
    endpoint: Endpoint,
    client: string | undefined,
    attempt: number,
  ): Decision {
    const relay: Relay = {
      dialTimeoutMs: DIAL_TIMEOUTS_MS[attempt] ?? 0,
      udpIdleTimeoutMs: UDP_IDLE_TIMEOUT_MS,
      // A failed try resets affinity: the client is bound to whatever comes next.
      retry: () =>
        attempt + 1 < DIAL_TIMEOUTS_MS.length
          ? this.#next(balancer, client, attempt + 1)
          : UNREACHABLE,
    };
    return { kind: 'forward', endpoint, masquerade: true, relay };
  }

  #balancerOf(servicePort: ServicePort): RoundRobinBalancer {
    const known = this.#balancers.get(servicePort.key);
    if (known !== undefined) return known;
    const timeoutSeconds = this.#pinnedTimeouts.get(servicePort.key) ?? timeoutOf(servicePort);
    const balancer = new RoundRobinBalancer({
      clock: this.#clock,
      random: this.#random.fork(servicePort.key),
      affinityTimeoutMs: timeoutSeconds * 1000,
    });
    balancer.setEndpoints(readyEndpoints(servicePort));
    this.#balancers.set(servicePort.key, balancer);
    return balancer;
  }
}

/** The Endpoints object, which this mode read, lists no others as ready. */
function readyEndpoints(servicePort: ServicePort): readonly Endpoint[] {
  return servicePort.endpoints.filter((endpoint) => endpoint.ready);
}

function timeoutOf(servicePort: ServicePort): number {
  const seconds = servicePort.info.affinityTimeoutSeconds;
  return seconds === 0 ? DEFAULT_AFFINITY_TIMEOUT_SECONDS : seconds;
}
