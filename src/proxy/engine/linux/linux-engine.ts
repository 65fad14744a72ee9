import type { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import type { SocketAddress } from '../../flow.ts';
import {
  type ConnectionAddresses,
  type Engine,
  type EngineCounters,
  type EngineListener,
  ListenError,
  type ListenOptions,
  type PortableEngine,
  type Route,
  type Router,
} from '../engine.ts';
import type { EngineLimits } from '../stream-engine.ts';
import type { BackendName } from './forwarder.ts';
import { openListeningSockets } from './listening-sockets.ts';
import type { RemoteConnection } from './remote-connection.ts';
import { RemoteForwarder } from './remote-forwarder.ts';
import type { Linux } from '../../../base/linux/system-calls.ts';

export interface LinuxEngineOptions {
  readonly linux: Linux;
  readonly backend: BackendName;
  /** Taken. Serves what the forwarding threads do not, and the listeners of one that has died. */
  readonly portable: PortableEngine;
  readonly clock: Clock;
  readonly limits?: Partial<EngineLimits>;
  /** Forwarding threads, 1 unless said otherwise. */
  readonly threads?: number;
  /** A forwarding thread has died; its connections are lost, its listeners go on in the portable engine. */
  onCrash?(error: Error): void;
  /** After a crash: the portable engine could not take over this listener, which is lost. */
  onListenerLost?(local: SocketAddress, error: unknown): void;
}

const DEFAULT_MAX_CONNECTIONS = 65_536;

/**
 * Forwards in threads of its own with epoll or io_uring, and splice(2). The main thread hears of each connection
 * when it is accepted, when it ends and when something happens to it in between, never of its bytes. Connections
 * whose server is not a socket of this machine are served by the portable engine, which takes over the accepted
 * socket. With several threads each has a socket of its own at every address; what no standing route decides is asked about on
 * the main thread, in the order in which it hears of clients, so that one picker serves all.
 */
export class LinuxEngine implements Engine {
  readonly name: BackendName;
  readonly #options: LinuxEngineOptions;
  readonly #maxConnections: number;
  readonly #portable: PortableEngine;
  readonly #counters: EngineCounters = {
    active: 0,
    accepted: 0,
    overLimit: 0,
    acceptErrors: 0,
    dialFailures: 0,
    sourcesLost: 0,
    bytesFromClients: 0,
    bytesFromServers: 0,
  };
  readonly #forwarders: RemoteForwarder[] = [];
  /** Those that listeners now have. */
  readonly #listeners = new Set<EngineListener>();
  #ending = false;
  #idle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: LinuxEngineOptions) {
    this.#options = options;
    this.name = options.backend;
    this.#maxConnections = options.limits?.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
    this.#portable = options.portable;
  }

  get counters(): Readonly<EngineCounters> {
    this.catchUp();
    const own = this.#counters;
    const portable = this.#portable.counters;
    const sum = (key: keyof EngineCounters): number => own[key] + portable[key];
    const ofThreads = (which: 'acceptErrors' | 'sourcesLost'): number =>
      this.#forwarders.reduce((total, forwarder) => total + forwarder.counter(which), 0);
    return {
      active: sum('active'),
      accepted: sum('accepted'),
      overLimit: sum('overLimit'),
      acceptErrors: sum('acceptErrors') + ofThreads('acceptErrors'),
      dialFailures: sum('dialFailures'),
      sourcesLost: sum('sourcesLost') + ofThreads('sourcesLost'),
      bytesFromClients: sum('bytesFromClients'),
      bytesFromServers: sum('bytesFromServers'),
    };
  }

  async listen(options: ListenOptions): Promise<EngineListener> {
    if (this.#ending) throw new Error('the engine has ended and cannot listen');
    this.#start();
    await Promise.all(this.#forwarders.map((forwarder) => forwarder.ready));
    const alive = this.#forwarders.filter(({ dead }) => !dead);
    const [first] = alive;
    if (first === undefined) return this.#portable.listen(options);
    if (alive.some(({ full }) => full)) throw new ListenError('EMFILE', options);
    const { fds, local } = openListeningSockets(first.tools, options, alive.length);
    const closes = alive.map((forwarder, index) =>
      forwarder.listen(fds[index] ?? -1, local, options.route),
    );
    const close = async (): Promise<void> => {
      await Promise.all(closes.map((closeOne) => closeOne()));
      this.#listeners.delete(listener);
    };
    const listener: EngineListener = { local, close, [Symbol.asyncDispose]: close };
    this.#listeners.add(listener);
    // The end may have come while the threads were being started.
    if (this.#ending) await close();
    return listener;
  }

  splice(client: Duplex, addresses: ConnectionAddresses, route: Router): void {
    this.#portable.splice(client, addresses, route);
  }

  revokeStanding(): void {
    for (const forwarder of this.#forwarders) forwarder.revokeStanding();
  }

  catchUp(): void {
    for (const forwarder of this.#forwarders) forwarder.catchUp();
  }

  close(): Promise<void> {
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close();
    for (const forwarder of this.#forwarders) forwarder.killAll();
    await this.#portable[Symbol.asyncDispose]();
    await closed;
  }

  #start(): void {
    const options = this.#options;
    const { linux, backend, clock, threads = 1 } = options;
    while (this.#forwarders.length < threads)
      this.#forwarders.push(
        new RemoteForwarder({
          linux,
          backend,
          clock,
          portable: this.#portable,
          counters: this.#counters,
          maxConnections: this.#maxConnections,
          route: this.#route,
          taken: this.#taken,
          ended: this.#ended,
          onCrash: (error) => options.onCrash?.(error),
          onListenerLost: (local, error) => options.onListenerLost?.(local, error),
        }),
      );
  }

  readonly #route = (connection: RemoteConnection, router: Router | undefined): Route => {
    const full = !this.#taken();
    if (router !== undefined && !full && !this.#ending) return router(connection);
    if (!full) this.#counters.overLimit += 1;
    return { kind: 'reset' };
  };

  /** Counts one more. False: it is one too many. */
  readonly #taken = (): boolean => {
    const counters = this.#counters;
    counters.accepted += 1;
    counters.active += 1;
    if (counters.active + this.#portable.counters.active <= this.#maxConnections) return true;
    counters.overLimit += 1;
    return false;
  };

  readonly #ended = (connection: RemoteConnection): void => {
    this.#counters.active -= 1;
    this.#counters.bytesFromClients += connection.bytesFromClient;
    this.#counters.bytesFromServers += connection.bytesFromServer;
    if (this.#counters.active === 0) this.#idle?.();
  };

  async #drain(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    if (this.#counters.active > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    await this.#portable.close();
    await Promise.all(this.#forwarders.map((forwarder) => forwarder.stop()));
  }
}
