import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import { DuplexEnd } from './duplex-end.ts';
import type {
  ConnectionAddresses,
  EngineCounters,
  EngineListener,
  ListenOptions,
  PortableEngine,
  Router,
} from './engine.ts';
import { SourcePorts } from './source-ports.ts';
import type { AcceptEvents, StreamEnd, Transport, TransportListener } from './stream-end.ts';

export interface EngineLimits {
  /** Connections at one time; one more is reset on arrival. Each takes two descriptors. */
  readonly maxConnections: number;
  /** How long a held connection lasts: as Linux keeps trying to connect, with tcp_syn_retries 6. */
  readonly holdTimeoutMs: number;
}

const DEFAULT_LIMITS: EngineLimits = { maxConnections: 65_536, holdTimeoutMs: 127_000 };

/** An engine on the main thread, over whichever transport it is given. */
export class StreamEngine implements PortableEngine, ConnectionHost {
  readonly name: string;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly sourcePorts: SourcePorts = new SourcePorts();
  readonly holdTimeoutMs: number;
  readonly counters: EngineCounters = {
    active: 0,
    accepted: 0,
    overLimit: 0,
    acceptErrors: 0,
    dialFailures: 0,
    sourcesLost: 0,
    bytesFromClients: 0,
    bytesFromServers: 0,
  };

  readonly #maxConnections: number;
  readonly #listeners = new Set<EngineListener>();
  readonly #connections = new Set<Connection>();
  #ending = false;
  #idle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: { transport: Transport; clock: Clock; limits?: Partial<EngineLimits> }) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.name = options.transport.name;
    this.transport = options.transport;
    this.clock = options.clock;
    this.holdTimeoutMs = limits.holdTimeoutMs;
    this.#maxConnections = limits.maxConnections;
  }

  listen({ address, port, route }: ListenOptions): Promise<EngineListener> {
    return this.#listen(route, (events) => this.transport.listen(address, port, events));
  }

  adopt(fd: number, { address, port, route }: ListenOptions): Promise<EngineListener> {
    return this.#listen(route, (events) => this.transport.adopt(fd, { address, port }, events));
  }

  async #listen(
    route: Router,
    open: (events: AcceptEvents) => Promise<TransportListener>,
  ): Promise<EngineListener> {
    if (this.#ending) throw new Error('the engine has ended and cannot listen');
    const bound = await open({
      accepted: (end, source) => {
        this.counters.accepted += 1;
        this.#serve(end, { source, destination: bound.local }, route);
      },
      acceptFailed: () => {
        this.counters.acceptErrors += 1;
      },
    });
    const close = (): Promise<void> => {
      this.#listeners.delete(listener);
      return bound.close();
    };
    const listener: EngineListener = { local: bound.local, close, [Symbol.asyncDispose]: close };
    this.#listeners.add(listener);
    // The end may have come while the port was being opened.
    if (this.#ending) await close();
    return listener;
  }

  splice(client: Duplex, addresses: ConnectionAddresses, route: Router): void {
    this.#serve(DuplexEnd.of(client), addresses, route);
  }

  /** Every connection is asked about here. */
  revokeStanding(): void {}

  /** Nothing is done elsewhere. */
  catchUp(): void {}

  /** From a connection whose sockets are gone. */
  ended(connection: Connection): void {
    this.counters.active -= 1;
    this.counters.bytesFromClients += connection.bytesFromClient;
    this.counters.bytesFromServers += connection.bytesFromServer;
    this.#connections.delete(connection);
    if (this.counters.active === 0) this.#idle?.();
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close();
    for (const connection of this.#connections) connection.kill();
    await closed;
  }

  #serve(end: StreamEnd, addresses: ConnectionAddresses, route: Router): void {
    const connection = new Connection(this, end, addresses);
    this.#connections.add(connection);
    this.counters.active += 1;
    if (this.counters.active > this.#maxConnections || this.#ending) {
      this.counters.overLimit += 1;
      connection.kill();
    } else connection.follow(route(connection));
  }

  async #drain(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    if (this.counters.active === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }
}
