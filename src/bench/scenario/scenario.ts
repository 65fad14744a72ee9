/** A positive random duration. `meanMs` is the true mean of the distribution, whatever its shape. */
export type Distribution =
  | { readonly kind: 'constant'; readonly meanMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  /** `sigma` is the standard deviation of the logarithm. */
  | { readonly kind: 'lognormal'; readonly meanMs: number; readonly sigma: number }
  /** `shape` (alpha) is above 1; at 2 and below the variance is infinite. */
  | { readonly kind: 'pareto'; readonly meanMs: number; readonly shape: number }
  | {
      readonly kind: 'bimodal';
      readonly fastMs: number;
      readonly slowMs: number;
      /** Share of slow ones, 0..1. */
      readonly slowFraction: number;
    };

/** When work comes in. `closed` waits for answers; all the others do not (open loop). */
export type Arrivals =
  | { readonly kind: 'poisson'; readonly ratePerSecond: number }
  | { readonly kind: 'constant'; readonly ratePerSecond: number }
  /** Poisson whose rate is `burstRatePerSecond` in the first `burstMs` of every `periodMs`. */
  | {
      readonly kind: 'bursty';
      readonly ratePerSecond: number;
      readonly burstRatePerSecond: number;
      readonly periodMs: number;
      readonly burstMs: number;
    }
  /** Connections start at these offsets, ascending, and again after `periodMs` when it is set. */
  | {
      readonly kind: 'trace';
      readonly startsMs: readonly number[];
      readonly periodMs?: number;
    }
  | {
      readonly kind: 'closed';
      readonly clients: number;
      /** Pause between an answer and the next request; none when absent. */
      readonly think?: Distribution;
    };

export interface BackendGroup {
  readonly name: string;
  readonly count: number;
  /** As ipvsadm's; modes without weights (all of kube-proxy's but ipvs) ignore it. */
  readonly weight: number;
  readonly serviceTime: Distribution;
  /** Requests served at once; Infinity has no queue at all. */
  readonly concurrency: number;
  /** Requests that may wait beyond `concurrency`; one more is refused. */
  readonly queueLimit: number;
  /** Pods on each node, by index. Absent: spread round the nodes. */
  readonly perNode?: readonly number[];
}

/** A fresh process is slower: `slowdown` times at its start, falling linearly to 1 over `durationMs`. */
export interface WarmUp {
  readonly durationMs: number;
  readonly slowdown: number;
}

export type ScenarioEvent =
  /** The process is gone at once; its proxies learn it `noticedAfterMs` later. */
  | {
      readonly kind: 'die';
      readonly atMs: number;
      readonly group: string;
      readonly count: number;
      readonly noticedAfterMs: number;
    }
  | {
      readonly kind: 'join';
      readonly atMs: number;
      readonly group: string;
      readonly count: number;
      readonly warmUp?: WarmUp;
    }
  | {
      readonly kind: 'weight';
      readonly atMs: number;
      readonly group: string;
      readonly weight: number;
    }
  /** A Deployment's rolling update with maxSurge 1: a new one in, then an old one out, one by one. */
  | {
      readonly kind: 'roll';
      readonly atMs: number;
      readonly group: string;
      readonly intervalMs: number;
      /** From leaving the Service to closing what is still connected (preStop and drain). */
      readonly graceMs: number;
      readonly warmUp?: WarmUp;
    };

export interface ConnectionShape {
  /** Requests in one connection; Infinity keeps it until the backend closes it. */
  readonly requests: number;
  /** From one request's intended start to the next one's (open loop). Absent: as soon as answered. */
  readonly gap?: Distribution;
  /** True: a request does not wait for the one before it (HTTP/2, gRPC). */
  readonly multiplexed: boolean;
}

/** One question: backends, traffic, and what happens to them. See docs/bench.md for the YAML form. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  /** What a reader should look for in the answer. */
  readonly lookFor: string;
  readonly protocol: 'TCP' | 'UDP' | 'HTTP';
  readonly nodes: number;
  /** Which node's proxy decides: the source's own, or any (a load balancer in front). */
  readonly entry: 'source' | 'spread';
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  /** Seconds of ClientIP affinity; absent is None. */
  readonly affinitySeconds?: number;
  readonly backends: readonly BackendGroup[];
  readonly sources: {
    readonly addresses: number;
    /** Zipf exponent of their activity; 0 is even. */
    readonly skew: number;
  };
  readonly arrivals: Arrivals;
  readonly connection: ConnectionShape;
  readonly durationMs: number;
  /** Requests that were due before this are not counted. */
  readonly warmUpMs: number;
  readonly events: readonly ScenarioEvent[];
  /** Names from the registry, in the order of the report. */
  readonly algorithms: readonly string[];
  /** Repetitions with different seeds. */
  readonly seeds: number;
  /** What the live engine changes, since its time is real. */
  readonly live: {
    readonly durationMs: number;
    readonly warmUpMs: number;
    readonly algorithms: readonly string[];
    /** Repetitions; one unless the scenario says otherwise, since an interval takes several. */
    readonly seeds: number;
  };
}
