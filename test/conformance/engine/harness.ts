import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import type {
  ConnectionObserver,
  DialRoute,
  Engine,
  EngineConnection,
  EngineListener,
  Router,
} from '../../../src/proxy/engine/engine.ts';
import type { EngineLimits } from '../../../src/proxy/engine/stream-engine.ts';
import type { ConnectionEvent, SocketAddress } from '../../../src/proxy/flow.ts';
import { dial, type TestServer } from '../../support/tcp.ts';
import { until } from '../../support/until.ts';

export interface EngineOptions {
  readonly clock: Clock;
  readonly limits?: Partial<EngineLimits>;
}

/** The engine under test. */
export type CreateEngine = (options: EngineOptions) => Engine;

/** Keeps what it is told, in order. */
export class Recorder implements ConnectionObserver {
  readonly events: ConnectionEvent[] = [];
  connection: EngineConnection | undefined;

  event(event: ConnectionEvent, connection: EngineConnection): void {
    this.events.push(event);
    this.connection = connection;
  }

  ended(): Promise<void> {
    return until(() => this.events.includes('closed'));
  }
}

export function toServer(server: SocketAddress, observer?: ConnectionObserver): DialRoute {
  const target = { kind: 'dial', address: server.address, port: server.port } as const;
  return observer === undefined ? target : { ...target, observer };
}

export interface Forwarder extends AsyncDisposable {
  readonly engine: Engine;
  readonly listener: EngineListener;
}

/** An engine with one listener on a free port. */
export async function start(
  create: CreateEngine,
  route: Router,
  options: Partial<EngineOptions> = {},
): Promise<Forwarder> {
  const engine = create({ clock: systemClock, ...options });
  const listener = await engine.listen({ address: '127.0.0.1', port: 0, route });
  return { engine, listener, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

/** An established connection through a forwarder, seen from all sides. */
export interface Pair extends Forwarder {
  readonly client: Socket;
  readonly backend: Socket;
  readonly recorder: Recorder;
}

export async function connectPair(create: CreateEngine, server: TestServer): Promise<Pair> {
  const recorder = new Recorder();
  const forwarder = await start(create, () => toServer(server, recorder));
  const accepted = server.accepted();
  const client = await dial(forwarder.listener.local);
  const backend = await accepted;
  await until(() => recorder.events.includes('established'));
  return { ...forwarder, client, backend, recorder };
}
