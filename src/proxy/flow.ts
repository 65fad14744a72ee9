import type { Protocol } from '../api/types/core.ts';

export interface SocketAddress {
  /** Canonical text, see base/ip. */
  readonly address: string;
  readonly port: number;
}

/** One connection (TCP) or one client's datagrams (UDP) as the proxy of one node first sees it. */
export interface Flow {
  readonly protocol: Protocol;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** What happens to a flow. How a client meets each kind, by mode: docs/differences.md. */
export type Decision =
  | {
      readonly kind: 'forward';
      readonly endpoint: SocketAddress;
      /** True: the backend sees the node's address; false: the client's own. */
      readonly masquerade: boolean;
      /** Told what becomes of the connection, by modes that count connections. */
      readonly binding?: Binding;
    }
  /** ICMP port unreachable: a TCP client is refused at once. */
  | { readonly kind: 'reject'; readonly reason: string }
  /** Silence: the client times out. */
  | { readonly kind: 'drop'; readonly reason: string }
  /** Not the proxy's business. */
  | { readonly kind: 'pass'; readonly reason: string };

/** What a socket forwarder can see of a connection's life; modes map it to their own states. */
export type ConnectionEvent =
  | 'established'
  | 'client-fin'
  | 'server-fin'
  | 'client-reset'
  | 'server-reset'
  /** The backend could not be reached. */
  | 'connect-failed'
  /** Both directions have ended and the sockets are gone. Always the last event, exactly once. */
  | 'closed';

export interface Binding {
  event(event: ConnectionEvent): void;
}

/** Collects the steps of one decision, in order, for people. */
export interface Trace {
  step(text: string, details?: Readonly<Record<string, unknown>>): void;
}
