import type { Clock } from '../base/clock.ts';
import { ClosedConnections } from './closed-connections.ts';
import { ConnectionActivity, type Watched } from './connection-activity.ts';
import type { Dialer } from './dialer.ts';
import type {
  ConnectionObserver,
  DialRoute,
  DialTarget,
  EngineConnection,
  Route,
  StandingRoute,
  StreamRoute,
} from './engine/engine.ts';
import type { Binding, ConnectionEvent, Decision, Forward, SocketAddress } from './flow.ts';
import { familyOf, type NodeContext } from './node-context.ts';
import type { Odds } from './proxy-mode.ts';

const RESET: Route = { kind: 'reset' };
const CLOSE: Route = { kind: 'close' };
const HOLD: Route = { kind: 'hold' };

/** A forwarded TCP connection that is open, as `conntrack -L` lists it. */
export interface TrackedConnection {
  readonly connection: EngineConnection;
  readonly endpoint: SocketAddress;
  /** The address the endpoint sees. */
  readonly seenAs: string;
  /** conntrack's: CLOSE_WAIT once one side has finished sending. */
  readonly state: 'SYN_SENT' | 'ESTABLISHED' | 'CLOSE_WAIT';
  /** When something last happened, in the Clock's monotonic milliseconds; up to ten seconds late. */
  readonly lastActiveMs: number;
}

/** Turns a mode's decisions on TCP connections into routes, and keeps book of what is open. */
export class ConnectionRoutes {
  readonly #context: NodeContext;
  readonly #dialer: Dialer;
  readonly #book: Book;

  constructor(context: NodeContext, dialer: Dialer, clock: Clock) {
    this.#context = context;
    this.#dialer = dialer;
    const open = new Set<Tracked>();
    const activity = new ConnectionActivity(clock, open);
    this.#book = { open, closed: new ClosedConnections(), activity, clock };
  }

  /** Forwarded connections, oldest first; {@link look} first for the newest of their activity. */
  get open(): Iterable<TrackedConnection> {
    return this.#book.open;
  }

  /** Notes what has passed on every connection until now. */
  look(): void {
    this.#book.activity.look();
  }

  /** Those that ended a short while ago. */
  get closed(): ClosedConnections {
    return this.#book.closed;
  }

  /** Stops looking at what passes; the connections themselves belong to the engine. */
  close(): void {
    this.#book.activity.close();
  }

  /** `odds`: those of the connections like this one, if chance alone decides. */
  routeOf(decision: Decision, connection: EngineConnection, odds?: () => Odds | undefined): Route {
    switch (decision.kind) {
      case 'forward':
        return this.#forward(decision, connection, odds);
      case 'drop':
        return HOLD;
      case 'reject':
        return decision.afterAccept === true ? CLOSE : RESET;
      // The socket is ours alone, so nobody else will answer: as if nothing listened.
      case 'pass':
        return RESET;
    }
  }

  #forward(
    decision: Forward,
    connection: EngineConnection,
    odds: (() => Odds | undefined) | undefined,
  ): Route {
    const { endpoint, relay } = decision;
    const source = sourceOf(decision, connection.source.address, this.#context);
    const observer = new Tracked(this.#book, connection, endpoint, source, decision.binding);
    const way = this.#dialer.stream(endpoint, source);
    if (relay === undefined) {
      if (way.kind === 'stream') return { ...way, observer };
      const client = connection.source.address;
      return new TrackedDial(way, observer, () => this.#standing(odds?.(), client));
    }
    const route: DialRoute | StreamRoute = {
      ...way,
      observer,
      timeoutMs: relay.dialTimeoutMs,
      closeTogether: true,
      retry: () => this.routeOf(relay.retry(), connection),
    };
    return route;
  }

  /** Undefined unless every choice is dialled, and in the same way at any later time. */
  #standing(odds: Odds | undefined, client: string): StandingRoute | undefined {
    if (odds === undefined) return undefined;
    const choices: Choice[] = [];
    for (const forward of odds.forwards) {
      const { endpoint } = forward;
      const source = sourceOf(forward, client, this.#context);
      const way = this.#dialer.stream(endpoint, source);
      if (way.kind !== 'dial' || way.lasting !== true) return undefined;
      choices.push({ ...way, endpoint, source });
    }
    return {
      choices,
      seed: odds.seed,
      taken: (connection, choice) => {
        const { endpoint, source } = choices[choice] as Choice;
        return new Tracked(this.#book, connection, endpoint, source, undefined);
      },
    };
  }
}

/** A class, because one is made for each connection: V8 is slow to spread an object and to add to it. */
class TrackedDial implements DialRoute {
  readonly kind = 'dial';
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly observer: ConnectionObserver;
  readonly standing: () => StandingRoute | undefined;

  constructor(
    { address, port, localAddress }: DialTarget,
    observer: ConnectionObserver,
    standing: () => StandingRoute | undefined,
  ) {
    this.address = address;
    this.port = port;
    if (localAddress !== undefined) this.localAddress = localAddress;
    this.observer = observer;
    this.standing = standing;
  }
}

/** An endpoint of a standing route. */
interface Choice extends DialTarget {
  readonly endpoint: SocketAddress;
  /** The address it sees. */
  readonly source: string;
}

/** The source address an endpoint is to see. */
export function sourceOf(decision: Forward, client: string, context: NodeContext): string {
  if (!decision.masquerade) return client;
  const family = familyOf(decision.endpoint.address);
  return context.nodeIPs.find((address) => familyOf(address) === family) ?? client;
}

interface Book {
  readonly open: Set<Tracked>;
  readonly closed: ClosedConnections;
  readonly activity: ConnectionActivity;
  readonly clock: Clock;
}

class Tracked implements ConnectionObserver, TrackedConnection, Watched {
  readonly connection: EngineConnection;
  readonly endpoint: SocketAddress;
  readonly seenAs: string;
  state: TrackedConnection['state'] = 'SYN_SENT';
  lastActiveMs: number;
  #fromClient = 0;
  #fromServer = 0;
  readonly #book: Book;
  readonly #binding: Binding | undefined;
  #aborted = false;

  constructor(
    book: Book,
    connection: EngineConnection,
    endpoint: SocketAddress,
    seenAs: string,
    binding: Binding | undefined,
  ) {
    this.#book = book;
    this.connection = connection;
    this.endpoint = endpoint;
    this.seenAs = seenAs;
    this.#binding = binding;
    this.lastActiveMs = book.clock.now();
    book.open.add(this);
    book.activity.started();
    binding?.onRevoked?.(() => connection.kill());
  }

  event(event: ConnectionEvent): void {
    this.lastActiveMs = this.#book.clock.now();
    if (event === 'closed') this.#close();
    else if (event === 'established') this.state = 'ESTABLISHED';
    else if (event === 'client-fin' || event === 'server-fin') this.state = 'CLOSE_WAIT';
    else this.#aborted = true;
    this.#binding?.event(event);
  }

  look(nowMs: number): void {
    const { bytesFromClient, bytesFromServer } = this.connection;
    const [fromClient, fromServer] = [this.#fromClient, this.#fromServer];
    if (bytesFromClient === fromClient && bytesFromServer === fromServer) return;
    this.#fromClient = bytesFromClient;
    this.#fromServer = bytesFromServer;
    this.lastActiveMs = nowMs;
    this.#binding?.traffic?.(bytesFromClient - fromClient, bytesFromServer - fromServer);
  }

  #close(): void {
    const { open, closed, clock } = this.#book;
    open.delete(this);
    this.look(clock.now());
    const { source, destination } = this.connection;
    // An end without a FIN, such as the mode's own, is a reset to both sides.
    const ended = this.state === 'CLOSE_WAIT' && !this.#aborted;
    closed.add({
      source,
      destination,
      endpoint: this.endpoint,
      seenAs: this.seenAs,
      state: ended ? 'TIME_WAIT' : 'CLOSE',
      assured: this.state !== 'SYN_SENT',
      endedAtMs: clock.now(),
    });
  }
}
