import { Socket } from 'node:net';
import type { Clock, Timer } from '../../../base/clock.ts';
import type { SocketAddress } from '../../flow.ts';
import type {
  ConnectionObserver,
  DialRoute,
  Engine,
  EngineConnection,
  EngineCounters,
  Route,
} from '../engine.ts';
import { ETIMEDOUT } from '../../../base/linux/abi.ts';
import type { ForwarderThread } from './forwarder-thread.ts';
import { COUNTER, FIELD, SOCKADDR_FIELD, TO_MAIN, TO_WORKER } from './mailbox.ts';
import { decodeSockaddr, encodeSockaddr, isSameFamily } from '../../../base/linux/sockaddr.ts';
import { errnoError } from '../../../base/linux/system-calls.ts';

export interface RemoteConnectionHost {
  readonly thread: ForwarderThread;
  readonly clock: Clock;
  /** Serves what the forwarding thread does not: streams, holds, and relays that end together. */
  readonly portable: Engine;
  readonly counters: EngineCounters;
  ended(connection: RemoteConnection): void;
}

/**
 * The main thread's side of a connection that the forwarding thread accepted: carries the route to it and the
 * news from it. Owns nothing but its timer; while the thread serves it, the sockets are the thread's.
 */
export class RemoteConnection implements EngineConnection {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly slot: number;
  readonly #host: RemoteConnectionHost;
  #phase: 'routing' | 'dialing' | 'forwarding' | 'ending' | 'gone' = 'routing';
  #route: DialRoute | undefined;
  #observer: ConnectionObserver | undefined;
  #timer: Timer | undefined;
  #killed = false;
  #fromClient = 0;
  #fromServer = 0;
  /** Who serves it now, after it was handed over. */
  #successor: EngineConnection | undefined;

  constructor(host: RemoteConnectionHost, slot: number, destination: SocketAddress) {
    this.#host = host;
    this.slot = slot;
    this.source = decodeSockaddr(host.thread.table.sockaddr(slot, SOCKADDR_FIELD.client));
    this.destination = destination;
  }

  get bytesFromClient(): number {
    if (this.#successor !== undefined) return this.#successor.bytesFromClient;
    return this.#phase === 'gone' ? this.#fromClient : this.#count(COUNTER.fromClient);
  }

  get bytesFromServer(): number {
    if (this.#successor !== undefined) return this.#successor.bytesFromServer;
    return this.#phase === 'gone' ? this.#fromServer : this.#count(COUNTER.fromServer);
  }

  kill(): void {
    if (this.#successor !== undefined) this.#successor.kill();
    if (this.#killed || this.#phase === 'gone') return;
    this.#killed = true;
    if (this.#phase === 'routing') return;
    this.#phase = 'ending';
    this.#host.thread.post(this.slot, TO_WORKER.kill);
  }

  /** Instead of {@link follow}: the thread has decided already, by a standing route. */
  followed(observer: ConnectionObserver | undefined): void {
    this.#phase = 'dialing';
    this.#observer = observer;
  }

  /** Once, right after construction; retries come back here. */
  follow(route: Route): void {
    const { thread } = this.#host;
    if (this.#killed || route.kind === 'reset') thread.reset(this.#leave());
    else if (route.kind === 'close') thread.closeSocket(this.#leave());
    else if (route.kind === 'dial' && route.closeTogether !== true) this.#dial(route);
    else this.#handOver(route);
  }

  /** News from the forwarding thread. */
  hear(message: number): void {
    switch (message) {
      case TO_MAIN.established:
        this.#timer?.cancel();
        this.#route = undefined;
        if (this.#phase === 'dialing') this.#phase = 'forwarding';
        this.#tell('established');
        break;
      case TO_MAIN.dialFailed:
        this.#dialFailed();
        break;
      case TO_MAIN.clientFin:
        this.#tell('client-fin');
        break;
      case TO_MAIN.serverFin:
        this.#tell('server-fin');
        break;
      case TO_MAIN.clientReset:
        this.#tell('client-reset');
        break;
      case TO_MAIN.serverReset:
        this.#tell('server-reset');
        break;
      default:
        this.lost();
    }
  }

  /** Its sockets are gone. */
  lost(): void {
    if (this.#phase === 'gone') return;
    this.#gone();
    this.#tell('closed');
    this.#observer = undefined;
    this.#host.ended(this);
  }

  #dial(route: DialRoute): void {
    const { thread, clock, counters } = this.#host;
    const { table } = thread;
    this.#phase = 'dialing';
    this.#route = route;
    this.#observer = route.observer;
    encodeSockaddr(route, table.sockaddr(this.slot, SOCKADDR_FIELD.target));
    const { localAddress } = route;
    const bound = localAddress !== undefined && isSameFamily(localAddress, route.address);
    if (bound)
      encodeSockaddr(
        { address: localAddress, port: 0 },
        table.sockaddr(this.slot, SOCKADDR_FIELD.source),
      );
    else if (localAddress !== undefined) counters.sourcesLost += 1;
    table.set(this.slot, FIELD.bound, bound ? 1 : 0);
    table.set(this.slot, FIELD.standing, thread.standing.offer(this.slot, this.source, route));
    thread.post(this.slot, TO_WORKER.dial);
    if (route.timeoutMs !== undefined)
      this.#timer = clock.setTimer(route.timeoutMs, () => {
        thread.post(this.slot, TO_WORKER.abortDial);
      });
  }

  #dialFailed(): void {
    // A kill is on its way to the thread, and `closed` will come back.
    if (this.#killed) return;
    const route = this.#route;
    const observer = this.#observer;
    this.#timer?.cancel();
    this.#route = undefined;
    this.#observer = undefined;
    this.#phase = 'routing';
    this.#host.counters.dialFailures += 1;
    observer?.event('connect-failed', this);
    observer?.event('closed', this);
    const error = this.#dialError();
    this.follow(route?.retry?.(error) ?? { kind: 'reset' });
  }

  #dialError(): Error {
    const errno = this.#host.thread.table.get(this.slot, FIELD.errno);
    return errnoError(errno, errno === ETIMEDOUT ? 'connect timed out' : 'connect');
  }

  #handOver(route: Route): void {
    const socket = new Socket({ fd: this.#leave(), allowHalfOpen: true });
    this.#host.portable.splice(socket, this, (successor) => {
      this.#successor = successor;
      return route;
    });
  }

  /** The forwarding thread is done with it. Returns the accepted socket, which the caller owns now. */
  #leave(): number {
    const { thread } = this.#host;
    const fd = thread.table.get(this.slot, FIELD.fd);
    this.#gone();
    this.#host.ended(this);
    return thread.take(this.slot, fd);
  }

  #gone(): void {
    this.#timer?.cancel();
    this.#fromClient = this.#count(COUNTER.fromClient);
    this.#fromServer = this.#count(COUNTER.fromServer);
    this.#phase = 'gone';
  }

  #tell(event: Parameters<ConnectionObserver['event']>[0]): void {
    this.#observer?.event(event, this);
  }

  #count(counter: (typeof COUNTER)[keyof typeof COUNTER]): number {
    return this.#host.thread.table.count(this.slot, counter);
  }
}
