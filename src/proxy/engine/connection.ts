import type { Clock, Timer } from '../../base/clock.ts';
import { errorCode, PodwireError } from '../../base/errors.ts';
import type { SocketAddress } from '../flow.ts';
import { DuplexEnd } from './duplex-end.ts';
import type {
  ConnectionAddresses,
  ConnectionObserver,
  DialRoute,
  EngineConnection,
  EngineCounters,
  Route,
  StreamRoute,
} from './engine.ts';
import { type LocalSource, SOURCE_ATTEMPTS, type SourcePorts } from './source-ports.ts';
import type { EndHandler, StreamEnd, Transport } from './stream-end.ts';

/** What connections share. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly transport: Transport;
  readonly sourcePorts: SourcePorts;
  readonly counters: EngineCounters;
  readonly holdTimeoutMs: number;
  ended(connection: Connection): void;
}

type Phase = 'routing' | 'dialing' | 'forwarding' | 'holding' | 'ending';

/**
 * A client, its server, and what passes between them. Owns both ends; tells the host when both are
 * closed. One object a connection and no closures: the ends call back on it.
 */
export class Connection implements EngineConnection, EndHandler {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  bytesFromClient = 0;
  bytesFromServer = 0;

  readonly #host: ConnectionHost;
  readonly #client: StreamEnd;
  #server: StreamEnd | undefined;
  #clientOpen = true;
  #serverOpen = false;
  #phase: Phase = 'routing';
  #observer: ConnectionObserver | undefined;
  #route: DialRoute | StreamRoute | undefined;
  #timer: Timer | undefined;
  #timedOut = false;
  #sourceAttempt = 0;

  constructor(host: ConnectionHost, client: StreamEnd, addresses: ConnectionAddresses) {
    this.#host = host;
    this.#client = client;
    this.source = addresses.source;
    this.destination = addresses.destination;
    client.attach(this);
  }

  /** Once, right after construction; retries come back here. */
  follow(route: Route): void {
    switch (route.kind) {
      case 'dial':
      case 'stream':
        this.#open(route);
        break;
      case 'hold':
        this.#phase = 'holding';
        this.#timer = this.#host.clock.setTimer(this.#host.holdTimeoutMs, () => this.kill());
        this.#client.start();
        break;
      case 'close':
        this.#phase = 'ending';
        this.#client.close();
        break;
      case 'reset':
        this.#phase = 'ending';
        this.#client.reset();
        break;
    }
  }

  kill(): void {
    this.#phase = 'ending';
    this.#client.reset();
    this.#server?.reset();
  }

  connected(end: StreamEnd): void {
    if (this.#phase !== 'dialing') return;
    this.#phase = 'forwarding';
    this.#timer?.cancel();
    this.#observer?.event('established', this);
    end.start();
    this.#client.start();
  }

  received(end: StreamEnd, chunk: Uint8Array): boolean {
    const server = this.#server;
    if (end === server) {
      this.bytesFromServer += chunk.length;
      return this.#client.write(chunk);
    }
    this.bytesFromClient += chunk.length;
    // A held client is read so that its leaving is noticed.
    return server === undefined ? true : server.write(chunk);
  }

  drained(end: StreamEnd): void {
    if (end === this.#server) this.#client.resume();
    else this.#server?.resume();
  }

  finished(end: StreamEnd): void {
    const server = this.#server;
    if (server === undefined) {
      this.#client.close();
      return;
    }
    this.#observer?.event(end === server ? 'server-fin' : 'client-fin', this);
    if (this.#route?.closeTogether === true) {
      this.#phase = 'ending';
      this.#client.close();
      server.close();
    } else if (end === server) this.#client.finish();
    else server.finish();
  }

  closed(end: StreamEnd, error: Error | undefined): void {
    if (end === this.#client) {
      this.#clientOpen = false;
      if (error !== undefined) this.#broken('client-reset', this.#server);
    } else {
      this.#serverOpen = false;
      if (this.#phase === 'dialing') this.#dialFailed(error);
      else if (error !== undefined) this.#broken('server-reset', this.#client);
    }
    if (!this.#clientOpen && !this.#serverOpen) this.#end();
  }

  #open(route: DialRoute | StreamRoute): void {
    this.#phase = 'dialing';
    this.#route = route;
    this.#observer = route.observer;
    this.#timedOut = false;
    this.#sourceAttempt = 0;
    if (route.timeoutMs !== undefined)
      this.#timer = this.#host.clock.setTimer(route.timeoutMs, () => {
        this.#timedOut = true;
        this.#server?.close();
      });
    if (route.kind === 'dial') this.#dial(route);
    else this.#setServer(DuplexEnd.open(route.open(), this));
  }

  #dial(route: DialRoute): void {
    const { localAddress } = route;
    let source: LocalSource | undefined;
    if (localAddress !== undefined) {
      source = this.#host.sourcePorts.attempt(localAddress, this.#sourceAttempt);
      if (source === undefined) this.#host.counters.sourcesLost += 1;
    }
    this.#setServer(this.#host.transport.dial(route, source, this));
  }

  #setServer(end: StreamEnd): void {
    this.#server = end;
    this.#serverOpen = true;
  }

  #dialFailed(error: Error | undefined): void {
    const route = this.#route;
    if (route?.kind === 'dial' && !this.#timedOut && this.#sourceRefused(route, error)) {
      this.#dial(route);
      return;
    }
    const observer = this.#observer;
    this.#observer = undefined;
    this.#route = undefined;
    this.#server?.release();
    this.#server = undefined;
    this.#timer?.cancel();
    this.#host.counters.dialFailures += 1;
    observer?.event('connect-failed', this);
    observer?.event('closed', this);
    this.follow(route?.retry?.(this.#dialError(error)) ?? { kind: 'reset' });
  }

  /** True: try again with another source. */
  #sourceRefused(route: DialRoute, error: Error | undefined): boolean {
    if (route.localAddress === undefined || this.#sourceAttempt >= SOURCE_ATTEMPTS) return false;
    const code = errorCode(error);
    if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL') return false;
    this.#sourceAttempt += 1;
    return true;
  }

  #dialError(error: Error | undefined): Error {
    if (error !== undefined) return error;
    return this.#timedOut
      ? new PodwireError('ETIMEDOUT', 'connect timed out')
      : new PodwireError('ECONNABORTED', 'closed before the connection was established');
  }

  /** One side is gone without its FIN: the other learns it the same way. */
  #broken(event: 'client-reset' | 'server-reset', other: StreamEnd | undefined): void {
    if (this.#phase === 'forwarding') this.#observer?.event(event, this);
    this.#phase = 'ending';
    other?.reset();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#client.release();
    this.#server?.release();
    this.#observer?.event('closed', this);
    this.#observer = undefined;
    this.#host.ended(this);
  }
}
