import type { Clock } from '../../base/clock.ts';
import { type Random, shuffle } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';

/** Clients one service port remembers; beyond, the one not seen for longest is forgotten. */
const MAX_CLIENTS = 65_536;

interface Session {
  endpoint: Endpoint;
  lastUsedMs: number;
}

/**
 * The userspace proxy's balancer for one service port (pkg/proxy/userspace/roundrobin.go at 1.25): endpoints
 * in an order shuffled whenever their set changes, taken by turns, and a map of clients for ClientIP affinity.
 */
export class RoundRobinBalancer {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #affinityTimeoutMs: number;
  readonly #sessions = new Map<string, Session>();
  #endpoints: Endpoint[] = [];
  #next = 0;

  /** The timeout is fixed for good: the real one never updates it, a change of the Service included. */
  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly affinityTimeoutMs: number;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#affinityTimeoutMs = options.affinityTimeoutMs;
  }

  /** The same set in another order is no change; any other starts the round anew. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    const fresh = new Map(endpoints.map((endpoint) => [endpoint.key, endpoint]));
    if (fresh.size === this.#endpoints.length && this.#endpoints.every(({ key }) => fresh.has(key)))
      return;
    for (const [client, session] of this.#sessions)
      if (!fresh.has(session.endpoint.key)) this.#sessions.delete(client);
    this.#endpoints = shuffle([...endpoints], this.#random);
    this.#next = 0;
  }

  /** The endpoint that `client` is bound to, if any; looking it up keeps the binding alive. */
  remembered(client: string): Endpoint | undefined {
    const session = this.#sessions.get(client);
    const now = this.#clock.now();
    if (session === undefined || now - session.lastUsedMs >= this.#affinityTimeoutMs)
      return undefined;
    session.lastUsedMs = now;
    return session.endpoint;
  }

  /** The next endpoint in turn; undefined when there are none. With `client` it is bound to it. */
  take(client?: string): Endpoint | undefined {
    const endpoint = this.#endpoints[this.#next];
    if (endpoint === undefined) return undefined;
    this.#next = (this.#next + 1) % this.#endpoints.length;
    if (client !== undefined) this.#bind(client, endpoint);
    return endpoint;
  }

  #bind(client: string, endpoint: Endpoint): void {
    this.#sessions.delete(client);
    if (this.#sessions.size >= MAX_CLIENTS)
      for (const oldest of this.#sessions.keys()) {
        this.#sessions.delete(oldest);
        break;
      }
    this.#sessions.set(client, { endpoint, lastUsedMs: this.#clock.now() });
  }
}
