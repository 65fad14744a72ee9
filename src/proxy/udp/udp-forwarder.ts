import type { Clock, Timer } from '../../base/clock.ts';
import { formatHostPort } from '../../base/ip.ts';
import type { DatagramChannel, Dialer } from '../dialer.ts';
import type { Decision, SocketAddress } from '../flow.ts';
import { sourceOf } from '../connection-routes.ts';
import type { NodeContext } from '../node-context.ts';
import type { DatagramListener } from './datagram-listener.ts';
import { DatagramSocket } from './datagram-socket.ts';
import { LateReplies } from './late-replies.ts';
import {
  type MutableUdpFlowState,
  startUdpFlow,
  touchUdpFlow,
  type UdpFlowState,
} from './udp-flow.ts';

type Forward = Extract<Decision, { kind: 'forward' }>;

/** One client's datagrams to one destination, as `conntrack -L` lists them. */
export interface UdpFlow {
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
  readonly endpoint: SocketAddress;
  /** The address the endpoint sees. */
  readonly source: string;
  readonly state: UdpFlowState;
}

interface ActiveFlow extends UdpFlow {
  readonly key: string;
  readonly state: MutableUdpFlowState;
  readonly decision: Forward;
  readonly channel: DatagramChannel;
}

export interface UdpCounters {
  /** Flows begun. */
  started: number;
  /** Ended because their endpoint stopped serving or their frontend went away. */
  stale: number;
  /** First datagrams dropped because the table was full. */
  tableFull: number;
}

/** Each flow takes a descriptor. */
const DEFAULT_MAX_FLOWS = 16_384;

/**
 * One node's UDP flows. A flow keeps its endpoint until it has been silent for conntrack's timeouts (in
 * userspace mode, that mode's own) or its endpoint stops serving. When the table is full, datagrams that would
 * begin another flow are dropped, as the kernel does ("nf_conntrack: table full, dropping packet").
 */
export class UdpForwarder {
  readonly counters: UdpCounters = { started: 0, stale: 0, tableFull: 0 };
  readonly #clock: Clock;
  readonly #dialer: Dialer;
  readonly #context: NodeContext;
  readonly #maxFlows: number;
  readonly #flows = new Map<string, ActiveFlow>();
  readonly #late: LateReplies;
  #timer: Timer | undefined;
  #timerDueAt = Infinity;

  constructor(options: {
    readonly clock: Clock;
    readonly dialer: Dialer;
    readonly context: NodeContext;
    readonly maxFlows?: number;
  }) {
    this.#clock = options.clock;
    this.#dialer = options.dialer;
    this.#context = options.context;
    this.#maxFlows = options.maxFlows ?? DEFAULT_MAX_FLOWS;
    this.#late = new LateReplies(options.clock);
  }

  get flows(): Iterable<UdpFlow> {
    return this.#flows.values();
  }

  get size(): number {
    return this.#flows.size;
  }

  /** `decide` is asked when the client has no flow to this listener yet. */
  forward(
    listener: DatagramListener,
    message: Uint8Array,
    client: SocketAddress,
    decide: () => Decision,
  ): void {
    const key = flowKey(listener.local, client);
    const flow = this.#flows.get(key) ?? this.#begin(key, listener, client, decide);
    if (flow === undefined) return;
    this.#touch(flow, 'client');
    flow.channel.send(message);
  }

  /** Ends the flows for which `stale` holds: kube-proxy's conntrack reconciler (1.32 and later). */
  endStale(stale: (flow: UdpFlow) => boolean): void {
    for (const flow of this.#flows.values()) {
      // A userspace proxy's flows are its own sockets, no conntrack entries: only silence ends them.
      if (flow.decision.relay !== undefined || !stale(flow)) continue;
      this.counters.stale += 1;
      this.#retire(flow);
    }
  }

  /** A listener is gone, and in userspace mode the flows that came through it. */
  endAllTo(destination: SocketAddress): void {
    for (const flow of this.#flows.values())
      if (
        flow.destination.port === destination.port &&
        flow.destination.address === destination.address
      )
        this.#end(flow);
  }

  endAll(): void {
    for (const flow of this.#flows.values()) this.#end(flow);
    this.#timer?.cancel();
    this.#late.close();
  }

  #begin(
    key: string,
    listener: DatagramListener,
    client: SocketAddress,
    decide: () => Decision,
  ): ActiveFlow | undefined {
    if (this.#flows.size >= this.#maxFlows) {
      this.counters.tableFull += 1;
      return undefined;
    }
    const decision = decide();
    // A drop is silent; so is a reject here: an ICMP message cannot be sent from a socket.
    if (decision.kind !== 'forward') return undefined;
    const { endpoint } = decision;
    const source = sourceOf(decision, client.address, this.#context);
    const receive = (message: Uint8Array): void => {
      if (this.#flows.get(key) === flow) this.#touch(flow, 'endpoint');
      listener.send(message, client);
    };
    const flow: ActiveFlow = {
      key,
      client,
      destination: listener.local,
      endpoint,
      source,
      state: startUdpFlow(this.#clock.now(), decision.relay?.udpIdleTimeoutMs),
      decision,
      channel: this.#open(endpoint, source, receive),
    };
    this.#flows.set(key, flow);
    this.counters.started += 1;
    decision.binding?.event('established');
    decision.binding?.onRevoked?.(() => this.#retire(flow));
    return flow;
  }

  #open(
    endpoint: SocketAddress,
    source: string,
    receive: (message: Uint8Array) => void,
  ): DatagramChannel {
    const way = this.#dialer.datagrams(endpoint, source);
    return way.kind === 'channel'
      ? way.open(receive)
      : new DatagramSocket(way, way.localAddress, receive);
  }

  #touch(flow: ActiveFlow, from: 'client' | 'endpoint'): void {
    touchUdpFlow(flow.state, from, this.#clock.now(), flow.decision.relay?.udpIdleTimeoutMs);
    this.#wakeAt(flow.state.expiresAt);
  }

  #end(flow: ActiveFlow): void {
    if (this.#forget(flow)) flow.channel.close();
  }

  /** The endpoint is leaving: the client's next datagram begins another flow, replies under way still pass. */
  #retire(flow: ActiveFlow): void {
    if (this.#forget(flow)) this.#late.await(flow.channel);
  }

  /** False when it had ended before. */
  #forget(flow: ActiveFlow): boolean {
    if (this.#flows.get(flow.key) !== flow) return false;
    this.#flows.delete(flow.key);
    flow.decision.binding?.event('closed');
    this.#restTimer();
    return true;
  }

  #restTimer(): void {
    if (this.#flows.size > 0) return;
    this.#timer?.cancel();
    this.#timerDueAt = Infinity;
  }

  /** Traffic only pushes expiry back, so the timer may fire early: then it is set anew. */
  #wakeAt(dueAt: number): void {
    if (dueAt >= this.#timerDueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = dueAt;
    this.#timer = this.#clock.setTimer(dueAt - this.#clock.now(), () => this.#expire());
  }

  #expire(): void {
    this.#timerDueAt = Infinity;
    const now = this.#clock.now();
    let next = Infinity;
    for (const flow of this.#flows.values())
      if (flow.state.expiresAt <= now) this.#end(flow);
      else next = Math.min(next, flow.state.expiresAt);
    if (next !== Infinity) this.#wakeAt(Math.max(next, now + MIN_SWEEP_MS));
  }
}

/** Sweeps look at every flow, so they keep a distance. */
const MIN_SWEEP_MS = 10;

function flowKey(local: SocketAddress, client: SocketAddress): string {
  return `${formatHostPort(client.address, client.port)} ${local.address} ${local.port}`;
}
