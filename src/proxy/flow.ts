import type { Protocol } from '../api/types/core.ts';
import type { SocketAddress } from '../base/socket-address.ts';

export type { SocketAddress };

/** One connection (TCP) or one client's datagrams (UDP) as the proxy of one node first sees it. */
export interface Flow {
  readonly protocol: Protocol;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** What happens to a flow. How a client meets each kind, by mode: docs/differences.md. */
export type Decision =
  | Forward
  /** ICMP port unreachable: a TCP client is refused at once. */
  | {
      readonly kind: 'reject';
      readonly reason: string;
      /** True: the connection is accepted and closed again; datagrams vanish. Userspace mode. */
      readonly afterAccept?: boolean;
    }
  /** Silence: the client times out. */
  | { readonly kind: 'drop'; readonly reason: string }
  /** Not the proxy's business. */
  | { readonly kind: 'pass'; readonly reason: string };

export interface Forward {
  readonly kind: 'forward';
  readonly endpoint: SocketAddress;
  /** True: the backend sees the node's address; false: the client's own. */
  readonly masquerade: boolean;
  /** Told what becomes of the connection, by modes that count connections. */
  readonly binding?: Binding;
  /** Present when the proxy is an ordinary program between two connections: userspace mode. */
  readonly relay?: Relay;
}

/**
 * How the userspace proxy treats a connection: both sockets are closed when either direction ends, and a
 * backend that cannot be reached in time is replaced by the next.
 */
export interface Relay {
  readonly dialTimeoutMs: number;
  /** A client's datagrams belong together until nothing was sent either way for so long. */
  readonly udpIdleTimeoutMs: number;
  /** Where to go after this endpoint failed; a reject when it was the last try. */
  retry(): Decision;
}

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
  /** How much went each way since the last time, while it lasts and once before `closed`. For modes that show it. */
  traffic?(fromClientBytes: number, fromServerBytes: number): void;
  /**
   * `listener` is called once if the mode itself ends the connection: ipvs forgets the connections of a
   * deleted Service, and the client's next segment is answered with a reset.
   */
  onRevoked?(listener: () => void): void;
}

/** Collects the steps of one decision, in order, for people. */
export interface Trace {
  step(text: string, details?: Readonly<Record<string, unknown>>): void;
}
