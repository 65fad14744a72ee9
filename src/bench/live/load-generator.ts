import type { Clock, Timer } from '../../base/clock.ts';
import { errorCode } from '../../base/errors.ts';
import type { SocketAddress } from '../../proxy/flow.ts';
import { sourceAddress } from '../scenario/network-plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { EventHeap } from '../sim/event-heap.ts';
import { type TrafficStreams, trafficStreams } from '../sim/traffic-streams.ts';
import { LatencyRecorder } from '../stats/latency-recorder.ts';
import type { Failure, Recorder } from '../stats/recorder.ts';
import { type ClientSocket, openDatagrams, openStream } from './client-socket.ts';
import { MessageCutter } from './message-cutter.ts';
import { type MessageFormat, messageFormat } from './message-format.ts';

const NOBODY = -1;
const RETRY_MS = 10;
/** What has not come back so long after the last request was due never will. */
const DRAIN_MS = 5000;
const MAX_ID = 0x7fff_ffff;

interface LiveConnection {
  socket: ClientSocket | undefined;
  readonly source: number;
  readonly client: number;
  readonly cutter: MessageCutter;
  /** When each request that is out was due, by id. */
  readonly inFlight: Map<number, number>;
  left: number;
  intendedAt: number;
  attributed: boolean;
  over: boolean;
}

export interface LoadOptions {
  readonly scenario: Scenario;
  readonly seed: string;
  readonly recorder: Recorder;
  readonly clock: Clock;
  /** Where clients of each node dial. */
  readonly entries: readonly SocketAddress[];
}

/**
 * The clients of a scenario on real sockets. Every request has a time at which it is due, and latency runs
 * from there, also when this process, the proxy or a full connection made it wait: no coordinated omission.
 */
export class LoadGenerator {
  /** By how much it missed the times at which it had something to do. */
  readonly late: LatencyRecorder = new LatencyRecorder();
  readonly #options: LoadOptions;
  readonly #streams: TrafficStreams;
  readonly #format: MessageFormat;
  readonly #connections = new Set<LiveConnection>();
  readonly #due = new EventHeap();
  readonly #jobs = new Map<number, () => void>();
  readonly #startedAt: number;
  readonly #endAt: number;
  #nextJob = 0;
  #nextId = 0;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #onIdle: (() => void) | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#streams = trafficStreams(options.scenario, options.seed);
    this.#format = messageFormat(options.scenario.protocol);
    this.#startedAt = options.clock.now();
    this.#endAt = options.scenario.durationMs;
  }

  /** Milliseconds since the run began, the scale of all scenario times. */
  now(): number {
    return this.#options.clock.now() - this.#startedAt;
  }

  /** Runs `job` at `atMs` of the run. */
  at(atMs: number, job: () => void): void {
    const key = this.#nextJob++;
    this.#jobs.set(key, job);
    this.#due.push(atMs, key, 0);
    this.#arm();
  }

  /** Sends everything; resolves when all is answered or given up. */
  async run(): Promise<void> {
    const { arrivals } = this.#options.scenario;
    if (arrivals.kind === 'closed')
      for (let client = 0; client < arrivals.clients; client += 1)
        this.at(this.#streams.think?.() ?? 0, () => this.#connectClient(client));
    else this.#scheduleArrival();
    await new Promise<void>((resolve) => {
      this.at(this.#endAt, () => {
        if (this.#connections.size === 0) resolve();
        this.#onIdle = resolve;
        this.#endIdle();
      });
      this.at(this.#endAt + DRAIN_MS, resolve);
    });
    this.#timer?.cancel();
    for (const connection of this.#connections) this.#giveUp(connection);
  }

  #scheduleArrival(): void {
    const atMs = this.#streams.arrivals();
    if (atMs > this.#endAt) return;
    this.at(atMs, () => {
      this.#scheduleArrival();
      this.#connect(atMs, this.#streams.source(), NOBODY);
    });
  }

  #connectClient(client: number): void {
    const now = this.now();
    if (now > this.#endAt) return;
    this.#connect(now, client % this.#options.scenario.sources.addresses, client);
  }

  #connect(intendedAt: number, source: number, client: number): void {
    const { scenario, entries } = this.#options;
    const node = scenario.entry === 'source' ? source % entries.length : this.#streams.entryNode();
    const entry = entries[node];
    if (entry === undefined) return;
    const connection: LiveConnection = {
      socket: undefined,
      source,
      client,
      cutter: new MessageCutter(this.#format.responseBytes),
      inFlight: new Map(),
      left: scenario.connection.requests,
      intendedAt,
      attributed: false,
      over: false,
    };
    this.#connections.add(connection);
    this.#options.recorder.totalConnections += 1;
    const open = scenario.protocol === 'UDP' ? openDatagrams : openStream;
    connection.socket = open(entry, sourceAddress(source), {
      received: (chunk) => this.#received(connection, chunk),
      broken: (error) => this.#broken(connection, error),
      closed: () => this.#closed(connection),
    });
    this.#request(connection, intendedAt);
  }

  #request(connection: LiveConnection, intendedAt: number): void {
    const id = this.#nextId;
    this.#nextId = id === MAX_ID ? 0 : id + 1;
    connection.left -= 1;
    connection.intendedAt = intendedAt;
    connection.inFlight.set(id, intendedAt);
    connection.socket?.send(this.#format.request(id));
    if (this.#options.scenario.connection.multiplexed) this.#scheduleNext(connection);
  }

  #received(connection: LiveConnection, chunk: Buffer): void {
    connection.cutter.push(chunk, (bytes, offset) => {
      const id = this.#format.responseId(bytes, offset);
      const intendedAt = connection.inFlight.get(id);
      if (intendedAt === undefined) return;
      connection.inFlight.delete(id);
      this.#answered(connection, intendedAt, this.#format.responseBackend(bytes, offset));
    });
  }

  #answered(connection: LiveConnection, intendedAt: number, backend: number): void {
    const { recorder, scenario } = this.#options;
    if (backend < 0) recorder.failed('overflow', intendedAt);
    else {
      recorder.answered(backend, intendedAt, this.now());
      if (!connection.attributed) recorder.attributed(backend, connection.source, this.now());
      connection.attributed = true;
    }
    if (connection.left <= 0 || this.now() > this.#endAt) this.#endIfIdle(connection);
    else if (!scenario.connection.multiplexed) this.#scheduleNext(connection);
  }

  #scheduleNext(connection: LiveConnection): void {
    if (connection.left <= 0) return;
    const { gap, think } = this.#streams;
    const now = this.now();
    const openLoopAt = gap === undefined ? now : connection.intendedAt + gap();
    const dueAt = connection.client === NOBODY ? openLoopAt : now + (think?.() ?? 0);
    connection.intendedAt = dueAt;
    this.at(dueAt, () => {
      if (connection.over) return;
      if (this.now() > this.#endAt) this.#endIfIdle(connection);
      else this.#request(connection, dueAt);
    });
  }

  #endIdle(): void {
    for (const connection of this.#connections) this.#endIfIdle(connection);
  }

  #endIfIdle(connection: LiveConnection): void {
    if (connection.inFlight.size === 0) connection.socket?.end();
  }

  #broken(connection: LiveConnection, error: Error): void {
    const failure: Failure = errorCode(error) === 'ECONNREFUSED' ? 'refused' : 'reset';
    this.#failInFlight(connection, failure);
  }

  #closed(connection: LiveConnection): void {
    connection.over = true;
    const failed = connection.inFlight.size > 0;
    this.#failInFlight(connection, 'reset');
    this.#connections.delete(connection);
    if (this.now() >= this.#endAt) {
      if (this.#connections.size === 0) this.#onIdle?.();
    } else if (connection.client !== NOBODY) {
      const finished = connection.left <= 0;
      const pauseMs = failed ? RETRY_MS : finished ? (this.#streams.think?.() ?? 0) : 0;
      this.at(this.now() + pauseMs, () => this.#connectClient(connection.client));
    }
  }

  #failInFlight(connection: LiveConnection, failure: Failure): void {
    for (const intendedAt of connection.inFlight.values())
      this.#options.recorder.failed(failure, intendedAt);
    connection.inFlight.clear();
  }

  #giveUp(connection: LiveConnection): void {
    this.#failInFlight(connection, 'unfinished');
    connection.over = true;
    connection.socket?.destroy();
  }

  #arm(): void {
    const at = this.#due.nextTime;
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#options.clock.setTimer(at - this.now(), () => this.#runDue());
  }

  #runDue(): void {
    this.#timerAt = Infinity;
    const now = this.now();
    while (this.#due.nextTime <= now) {
      this.late.record(now - this.#due.nextTime);
      const key = this.#due.nextPayload;
      this.#due.pop();
      const job = this.#jobs.get(key);
      this.#jobs.delete(key);
      job?.();
    }
    this.#arm();
  }
}
