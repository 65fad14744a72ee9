import type { Dialer } from './dialer.ts';
import type {
  ConnectionObserver,
  DialRoute,
  EngineConnection,
  Route,
  StreamRoute,
} from './engine/engine.ts';
import type { Binding, ConnectionEvent, Decision, SocketAddress } from './flow.ts';
import { familyOf, type NodeContext } from './node-context.ts';

const RESET: Route = { kind: 'reset' };
const CLOSE: Route = { kind: 'close' };
const HOLD: Route = { kind: 'hold' };

type Forward = Extract<Decision, { kind: 'forward' }>;

/** A forwarded TCP connection as `conntrack -L` lists it. */
export interface TrackedConnection {
  readonly connection: EngineConnection;
  readonly endpoint: SocketAddress;
  /** The address the endpoint sees. */
  readonly source: string;
  readonly established: boolean;
}

/** Turns a mode's decisions on TCP connections into routes, and keeps book of what is open. */
export class ConnectionRoutes {
  readonly #context: NodeContext;
  readonly #dialer: Dialer;
  readonly #open = new Set<Tracked>();

  constructor(context: NodeContext, dialer: Dialer) {
    this.#context = context;
    this.#dialer = dialer;
  }

  /** Forwarded connections, oldest first. */
  get open(): Iterable<TrackedConnection> {
    return this.#open;
  }

  routeOf(decision: Decision, connection: EngineConnection): Route {
    switch (decision.kind) {
      case 'forward':
        return this.#forward(decision, connection);
      case 'drop':
        return HOLD;
      case 'reject':
        return decision.afterAccept === true ? CLOSE : RESET;
      // The socket is ours alone, so nobody else will answer: as if nothing listened.
      case 'pass':
        return RESET;
    }
  }

  #forward(decision: Forward, connection: EngineConnection): Route {
    const { endpoint, relay } = decision;
    const source = sourceOf(decision, connection.source.address, this.#context);
    const observer = new Tracked(this.#open, connection, endpoint, source, decision.binding);
    const way = this.#dialer.stream(endpoint, source);
    if (relay === undefined) return { ...way, observer };
    const route: DialRoute | StreamRoute = {
      ...way,
      observer,
      timeoutMs: relay.dialTimeoutMs,
      closeTogether: true,
      retry: () => this.routeOf(relay.retry(), connection),
    };
    return route;
  }
}

/** The source address an endpoint is to see. */
export function sourceOf(decision: Forward, client: string, context: NodeContext): string {
  if (!decision.masquerade) return client;
  const family = familyOf(decision.endpoint.address);
  return context.nodeIPs.find((address) => familyOf(address) === family) ?? client;
}

class Tracked implements ConnectionObserver, TrackedConnection {
  readonly connection: EngineConnection;
  readonly endpoint: SocketAddress;
  readonly source: string;
  established = false;
  readonly #open: Set<Tracked>;
  readonly #binding: Binding | undefined;

  constructor(
    open: Set<Tracked>,
    connection: EngineConnection,
    endpoint: SocketAddress,
    source: string,
    binding: Binding | undefined,
  ) {
    this.#open = open;
    this.connection = connection;
    this.endpoint = endpoint;
    this.source = source;
    this.#binding = binding;
    open.add(this);
    binding?.onRevoked?.(() => connection.kill());
  }

  event(event: ConnectionEvent): void {
    if (event === 'established') this.established = true;
    else if (event === 'closed') {
      this.#open.delete(this);
      const { bytesFromClient, bytesFromServer } = this.connection;
      this.#binding?.traffic?.(bytesFromClient, bytesFromServer);
    }
    this.#binding?.event(event);
  }
}
