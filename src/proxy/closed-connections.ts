import type { SocketAddress } from './flow.ts';

/** conntrack's states of a connection that has ended: by FINs, or by a reset or refusal. */
export type ClosedState = 'TIME_WAIT' | 'CLOSE';

export interface ClosedConnection {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly endpoint: SocketAddress;
  /** The address the endpoint saw. */
  readonly seenAs: string;
  readonly state: ClosedState;
  readonly assured: boolean;
  /** The Clock's monotonic milliseconds. */
  readonly endedAtMs: number;
}

/** nf_conntrack_tcp_timeout_time_wait and _close. */
const LINGER_MS: Readonly<Record<ClosedState, number>> = { TIME_WAIT: 120_000, CLOSE: 10_000 };

const DEFAULT_CAPACITY = 4096;

/**
 * The connections that ended last, as long as conntrack would list them. A ring: when it is full the oldest goes
 * first, however long it had left.
 */
export class ClosedConnections {
  readonly #ring: ClosedConnection[] = [];
  readonly #capacity: number;
  #next = 0;

  constructor(capacity: number = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  add(connection: ClosedConnection): void {
    this.#ring[this.#next] = connection;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  /** Oldest first, each with the time it has left. */
  listed(nowMs: number): { readonly connection: ClosedConnection; readonly leftMs: number }[] {
    const inOrder = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return inOrder.flatMap((connection) => {
      const leftMs = connection.endedAtMs + LINGER_MS[connection.state] - nowMs;
      return leftMs > 0 ? [{ connection, leftMs }] : [];
    });
  }
}
