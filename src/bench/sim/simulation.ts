import { ManualClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Algorithm, Balancer, EligibleBackend } from '../algorithms/balancer.ts';
import { ephemeralPort, podAddress, sourceAddress } from '../scenario/network-plan.ts';
import type { Plan, PlannedAction } from '../scenario/plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type Failure, Recorder } from '../stats/recorder.ts';
import { BackendPool } from './backend-pool.ts';
import { EventHeap } from './event-heap.ts';
import { samplerOf } from './sampler.ts';
import { ConnectionTable, RequestTable } from './slot-columns.ts';
import { type TrafficStreams, trafficStreams } from './traffic-streams.ts';

/** The two low bits of an event's payload; the rest is a slot or a client. */
const ANSWER = 0;
const NEXT_REQUEST = 1;
const CLIENT = 2;

const NOBODY = -1;
/** A closed-loop client that was turned away does not spin: it waits as long as a usual back-off. */
const RETRY_MS = 10;
/** Requests that are out when the run ends may take this many times its length to come back. */
const DRAIN_FACTOR = 1;

/** One run in virtual time. The same plan, algorithm and seed give the same measurements, bit by bit. */
export function simulate(plan: Plan, algorithm: Algorithm, seed: string): Recorder {
  return new Simulation(plan, algorithm, seed).run();
}

/**
 * Events in order of time: connections that arrive, answers, next requests, changes of the plan and
 * samples. Arrivals, service times and choices draw from separate streams, so two algorithms meet the
 * same arrivals with the same seed.
 */
class Simulation {
  readonly #plan: Plan;
  readonly #scenario: Scenario;
  readonly #recorder: Recorder;
  readonly #pool: BackendPool;
  readonly #heap = new EventHeap();
  readonly #clock = new ManualClock();
  readonly #balancers: Balancer[];
  readonly #connections = new ConnectionTable();
  readonly #requests = new RequestTable();
  readonly #streams: TrafficStreams;
  readonly #serviceRandom;
  readonly #eligible = new Set<number>();
  readonly #leaving: Uint8Array;
  readonly #weights: Float64Array;
  readonly #endAt: number;
  #nextAction = 0;
  #port = 0;

  constructor(plan: Plan, algorithm: Algorithm, seed: string) {
    const { scenario } = plan;
    const random = seededRandom(seed);
    this.#plan = plan;
    this.#scenario = scenario;
    this.#endAt = scenario.durationMs;
    this.#recorder = new Recorder({
      weights: plan.backends.map(({ weight }) => weight),
      sources: scenario.sources.addresses,
      warmUpMs: scenario.warmUpMs,
      durationMs: scenario.durationMs,
    });
    this.#pool = new BackendPool(plan.backends.length);
    this.#leaving = new Uint8Array(plan.backends.length);
    this.#weights = Float64Array.from(plan.backends, (backend) => backend.weight);
    this.#serviceRandom = random.fork('service');
    this.#streams = trafficStreams(scenario, seed);
    this.#balancers = Array.from({ length: scenario.nodes }, (_, node) =>
      algorithm.create({
        node,
        protocol: scenario.protocol === 'UDP' ? 'UDP' : 'TCP',
        random: random.fork(`node-${node}`),
        clock: this.#clock,
        maximumBackends: plan.backends.length,
        sourceAddress,
        globalInSystem: this.#pool.inSystem,
        ...(scenario.affinitySeconds === undefined
          ? {}
          : { affinitySeconds: scenario.affinitySeconds }),
      }),
    );
  }

  run(): Recorder {
    this.#act(0);
    this.#startClients();
    const drainUntil = this.#endAt * (1 + DRAIN_FACTOR);
    const heap = this.#heap;
    let arrivalAt = this.#streams.arrivals();
    let controlAt = this.#nextControlAt();
    for (;;) {
      const eventAt = heap.nextTime;
      const now = arrivalAt < eventAt ? arrivalAt : eventAt;
      if (controlAt <= now) {
        if (controlAt === Infinity) break;
        this.#control(controlAt);
        controlAt = this.#nextControlAt();
      } else if (now > drainUntil) break;
      else {
        this.#clock.advanceTo(now);
        if (arrivalAt < eventAt) {
          if (now > this.#endAt) arrivalAt = Infinity;
          else {
            this.#connect(now, this.#streams.source(), NOBODY);
            arrivalAt = this.#streams.arrivals();
          }
        } else this.#dispatch(now);
      }
    }
    this.#giveUp();
    return this.#recorder;
  }

  #dispatch(now: number): void {
    const payload = this.#heap.nextPayload;
    const stamp = this.#heap.nextStamp;
    this.#heap.pop();
    const subject = payload >> 2;
    switch (payload & 3) {
      case ANSWER:
        if (this.#requests.stamp[subject] === stamp) this.#answer(subject, now);
        return;
      case NEXT_REQUEST:
        if (this.#connections.stamp[subject] === stamp) this.#nextRequest(subject, now);
        return;
      default:
        this.#connect(now, subject % this.#scenario.sources.addresses, subject);
    }
  }

  #connect(now: number, source: number, client: number): void {
    if (now > this.#endAt) return;
    const node =
      this.#scenario.entry === 'source'
        ? source % this.#balancers.length
        : this.#streams.entryNode();
    const connection = this.#connections.take();
    const balancer = this.#balancers[node] as Balancer;
    const backend = balancer.open(connection, source, ephemeralPort(this.#port++));
    if (backend < 0 || !this.#pool.isAlive(backend)) {
      if (backend >= 0) balancer.close(connection, 'failed');
      this.#connections.release(connection);
      this.#recorder.failed(backend < 0 ? 'refused' : 'unreachable', now);
      if (client !== NOBODY) this.#heap.push(now + RETRY_MS, (client << 2) | CLIENT, 0);
      return;
    }
    const table = this.#connections;
    table.backend[connection] = backend;
    table.node[connection] = node;
    table.client[connection] = client;
    table.left[connection] = this.#scenario.connection.requests;
    table.inFlight[connection] = 0;
    this.#recorder.connected(backend, source, now);
    this.#request(connection, now, now);
  }

  /** Sends the connection's next request, which was due at `intendedAt`. */
  #request(connection: number, intendedAt: number, now: number): void {
    const table = this.#connections;
    const backend = table.backend[connection] as number;
    table.left[connection] = (table.left[connection] as number) - 1;
    table.intendedAt[connection] = intendedAt;
    const answerAt = this.#pool.admit(backend, now);
    if (answerAt < 0) this.#recorder.failed('overflow', intendedAt);
    else {
      const request = this.#requests.take(connection, intendedAt, now);
      table.inFlight[connection] = (table.inFlight[connection] as number) + 1;
      this.#balancers[table.node[connection] as number]?.requestStarted?.(backend);
      this.#heap.push(answerAt, (request << 2) | ANSWER, this.#requests.stamp[request] as number);
    }
    if (this.#scenario.connection.multiplexed) this.#schedule(connection, now);
    if (answerAt < 0) this.#afterAnswer(connection, now);
  }

  #answer(request: number, now: number): void {
    const requests = this.#requests;
    const connection = requests.connection[request] as number;
    const table = this.#connections;
    const backend = table.backend[connection] as number;
    this.#pool.leave(backend);
    this.#recorder.answered(backend, requests.intendedAt[request] as number, now);
    this.#balancers[table.node[connection] as number]?.requestEnded?.(
      backend,
      now - (requests.sentAt[request] as number),
    );
    requests.release(request);
    table.inFlight[connection] = (table.inFlight[connection] as number) - 1;
    this.#afterAnswer(connection, now);
  }

  #afterAnswer(connection: number, now: number): void {
    const table = this.#connections;
    const leaving = this.#leaving[table.backend[connection] as number] === 1;
    const over = (table.left[connection] as number) <= 0 || leaving || now > this.#endAt;
    if (over) {
      if (table.inFlight[connection] === 0)
        this.#close(connection, now, leaving ? 'server' : 'client');
    } else if (!this.#scenario.connection.multiplexed) this.#schedule(connection, now);
  }

  /** Decides when the next request of a connection is due. */
  #schedule(connection: number, now: number): void {
    const table = this.#connections;
    if ((table.left[connection] as number) <= 0) return;
    const { gap, think } = this.#streams;
    const closedLoop = (table.client[connection] as number) !== NOBODY;
    const dueAt = closedLoop
      ? now + (think?.() ?? 0)
      : gap === undefined
        ? now
        : (table.intendedAt[connection] as number) + gap();
    table.intendedAt[connection] = dueAt;
    const at = dueAt > now ? dueAt : now;
    this.#heap.push(at, (connection << 2) | NEXT_REQUEST, table.stamp[connection] as number);
  }

  #nextRequest(connection: number, now: number): void {
    const table = this.#connections;
    const leaving = this.#leaving[table.backend[connection] as number] === 1;
    if (leaving || now > this.#endAt) {
      table.left[connection] = 0;
      if (table.inFlight[connection] === 0)
        this.#close(connection, now, leaving ? 'server' : 'client');
    } else this.#request(connection, table.intendedAt[connection] as number, now);
  }

  #close(connection: number, now: number, how: 'client' | 'server' | 'failed'): void {
    const table = this.#connections;
    const client = table.client[connection] as number;
    const ended = (table.left[connection] as number) <= 0;
    this.#recorder.disconnected(table.backend[connection] as number);
    this.#balancers[table.node[connection] as number]?.close(connection, how);
    table.release(connection);
    if (client === NOBODY) return;
    const pauseMs = ended && how === 'client' ? (this.#streams.think?.() ?? 0) : 0;
    this.#heap.push(now + pauseMs, (client << 2) | CLIENT, 0);
  }

  #startClients(): void {
    const { arrivals } = this.#scenario;
    if (arrivals.kind !== 'closed') return;
    for (let client = 0; client < arrivals.clients; client += 1)
      this.#heap.push(this.#streams.think?.() ?? 0, (client << 2) | CLIENT, 0);
  }

  #nextControlAt(): number {
    const actionAt = this.#plan.actions[this.#nextAction]?.atMs ?? Infinity;
    return Math.min(actionAt, this.#recorder.nextSampleAt);
  }

  #control(now: number): void {
    this.#clock.advanceTo(now);
    if (this.#recorder.nextSampleAt <= now)
      this.#recorder.takeSample(
        (backend) => this.#pool.isAlive(backend) && this.#leaving[backend] === 0,
      );
    this.#act(now);
  }

  /** Carries out every action due by `now`, then tells the proxies once. */
  #act(now: number): void {
    let changed = false;
    for (
      let action = this.#plan.actions[this.#nextAction];
      action !== undefined && action.atMs <= now;
      action = this.#plan.actions[++this.#nextAction]
    )
      changed = this.#carryOut(action, now) || changed;
    if (!changed) return;
    this.#recorder.backendsChanged();
    for (const [node, balancer] of this.#balancers.entries())
      balancer.update(this.#eligibleOn(node));
  }

  /** True when the proxies have something to learn. */
  #carryOut(action: PlannedAction, now: number): boolean {
    switch (action.kind) {
      case 'start':
        this.#startBackend(action.backend, now);
        return false;
      case 'announce':
        this.#eligible.add(action.backend);
        return true;
      case 'withdraw':
        return this.#eligible.delete(action.backend);
      case 'weight':
        this.#weights[action.backend] = action.weight;
        return true;
      case 'stop':
        this.#leaving[action.backend] = 1;
        this.#closeIdle(action.backend, now);
        return false;
      case 'kill':
        this.#pool.stop(action.backend);
        this.#resetAll(action.backend, now);
        return false;
    }
  }

  #startBackend(index: number, now: number): void {
    const backend = this.#plan.backends[index];
    if (backend === undefined) return;
    const { group, warmUp } = backend;
    this.#pool.add(index, {
      serviceTime: samplerOf(group.serviceTime, this.#serviceRandom),
      concurrency: group.concurrency,
      queueLimit: group.queueLimit,
      ...(warmUp === undefined ? {} : { warmUp: { fromMs: now, ...warmUp } }),
    });
  }

  #eligibleOn(node: number): EligibleBackend[] {
    const local = this.#scenario.externalTrafficPolicy === 'Local';
    return this.#plan.backends
      .filter(({ index, node: home }) => this.#eligible.has(index) && (!local || home === node))
      .map(({ index }) => ({
        index,
        weight: this.#weights[index] as number,
        ...podAddress(index),
      }));
  }

  #closeIdle(backend: number, now: number): void {
    for (const connection of this.#connectionsOf(backend))
      if (this.#connections.inFlight[connection] === 0) this.#close(connection, now, 'server');
  }

  #resetAll(backend: number, now: number): void {
    const requests = this.#requests;
    for (let request = 0; request < requests.slots.made; request += 1) {
      const connection = requests.connection[request] as number;
      if (connection < 0 || this.#connections.backend[connection] !== backend) continue;
      const node = this.#connections.node[connection] as number;
      const waitedMs = now - (requests.sentAt[request] as number);
      this.#balancers[node]?.requestEnded?.(backend, waitedMs);
      this.#fail('reset', request);
      this.#pool.leave(backend);
    }
    for (const connection of this.#connectionsOf(backend)) this.#close(connection, now, 'failed');
  }

  #fail(failure: Failure, request: number): void {
    this.#recorder.failed(failure, this.#requests.intendedAt[request] as number);
    this.#requests.release(request);
  }

  #connectionsOf(backend: number): number[] {
    const { backend: column, slots } = this.#connections;
    const found: number[] = [];
    for (let connection = 0; connection < slots.made; connection += 1)
      if (column[connection] === backend) found.push(connection);
    return found;
  }

  /** What is still out when the run and its drain are over. */
  #giveUp(): void {
    for (let request = 0; request < this.#requests.slots.made; request += 1)
      if ((this.#requests.connection[request] as number) >= 0) this.#fail('unfinished', request);
  }
}
