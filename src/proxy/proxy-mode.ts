import type { Resource } from '../base/lifetime.ts';
import type { Frontend, RoutingTable } from '../services/routing-table.ts';
import type { Decision, Flow, Forward, Trace } from './flow.ts';

export type ProxyModeName = 'iptables' | 'userspace' | 'nftables' | 'ipvs';

/** Where a flow may go, before chance and memory decide. */
export interface Reach {
  readonly verdict: Decision['kind'];
  /** Why, for verdicts that go nowhere; empty for `forward`. */
  readonly reason: string;
  /** Empty unless the verdict is `forward`. */
  readonly endpoints: readonly ReachableEndpoint[];
}

/** New flows from one address to one destination, when chance alone decides where they go. */
export interface Odds {
  /** At least one; each is as likely as the others. */
  readonly forwards: readonly Forward[];
  /** Of a stream of draws, 32 bits. */
  readonly seed: number;
}

export interface ReachableEndpoint {
  /** `address:port`, IPv6 in brackets. */
  readonly address: string;
  /** For a client the proxy has no memory of. Together 1, up to rounding. */
  readonly probability: number;
  /** True: the backend sees the node's address. */
  readonly snat: boolean;
}

/**
 * What every flow to a frontend comes to, whoever sends it. `mixed`: it depends on the flow, or goes
 * through; somebody has to listen.
 */
export type Stance = 'mixed' | 'reject' | 'drop';

/**
 * One way of balancing, on one node. Keeps what must outlive a table (round-robin positions, affinity,
 * connection counts); the table itself is replaced whole on every change. Closing ends its timers.
 */
export interface ProxyMode extends Resource {
  readonly name: ProxyModeName;
  /** Takes the new state of the world. Flows decided from now on follow it. */
  update(table: RoutingTable): void;
  /**
   * Where a new flow goes. Synchronous, no I/O; with `trace` it also tells why. A `forward` counts as a
   * connection until its binding hears `closed`.
   */
  decide(flow: Flow, trace?: Trace): Decision;
  /** The same question asked without making a connection: nothing is counted, drawn or remembered. */
  reach(flow: Flow, trace?: Trace): Reach;
  /**
   * What `decide` may say of all flows like this one until the next `update`. Undefined: it goes by more than chance (memory,
   * counts), or they are not forwarded. Whoever draws by them need not ask `decide`.
   */
  odds(flow: Flow): Odds | undefined;
  /** The addresses of this node or of the Service at which the frontend is answered. */
  addresses(frontend: Frontend): readonly string[];
  stance(frontend: Frontend): Stance;
}
