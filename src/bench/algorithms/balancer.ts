import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';

/** One eligible backend, as a proxy knows it. */
export interface EligibleBackend {
  /** See {@link PlannedBackend.index}; stable for the whole run. */
  readonly index: number;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

/** What a balancer may use. One context is one node of one run. */
export interface BalancerContext {
  readonly node: number;
  /** HTTP is TCP to a layer 4 proxy. */
  readonly protocol: 'TCP' | 'UDP';
  readonly random: Random;
  readonly clock: Clock;
  /** How many backends there will ever be: bounds their indices. */
  readonly maximumBackends: number;
  /** Text of the n-th source address. */
  readonly sourceAddress: (source: number) => string;
  readonly affinitySeconds?: number;
  /**
   * Requests in each backend now, counted over all nodes; kept only for algorithms that watch requests. Real
   * proxies cannot see this.
   */
  readonly globalInSystem: Int32Array;
}

/** The balancing of one Service on one node. Synchronous, no I/O; its connections are small integers. */
export interface Balancer {
  /** Replaces the eligible set. Connections that are open stay where they are. */
  update(eligible: readonly EligibleBackend[]): void;
  /**
   * Chooses for a new connection; -1 refuses it. `connection` is free again after {@link close}, and not
   * before. A refused one is not open.
   */
  open(connection: number, source: number, port: number): number;
  /** `failed`: the backend could not be reached, or reset it. */
  close(connection: number, how: 'client' | 'server' | 'failed'): void;
  /** A request went out; only proxies that understand the protocol can know. */
  requestStarted?(backend: number): void;
  /** It was answered after `latencyMs`. */
  requestEnded?(backend: number, latencyMs: number): void;
}

/** Where an algorithm comes from: a real proxy's, or a point of reference from elsewhere. */
export type AlgorithmFamily = 'iptables' | 'nftables' | 'userspace' | 'ipvs' | 'reference';

export interface Algorithm {
  readonly name: string;
  readonly family: AlgorithmFamily;
  /** One sentence for the list. */
  readonly summary: string;
  /** True: it is told of requests, so its proxy has to read the protocol. */
  readonly watchesRequests?: boolean;
  create(context: BalancerContext): Balancer;
}
