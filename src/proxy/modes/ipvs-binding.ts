import type { Binding, ConnectionEvent } from '../flow.ts';
import type { Connection } from '../ipvs/connection.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';

/**
 * Plays what a socket forwarder sees of a connection to the director as segments. The handshake is one
 * event, acknowledgements are not seen, and a connection that ends without FIN or RST counts as reset.
 */
export class IpvsBinding implements Binding {
  readonly #ipvs: Ipvs;
  readonly #connection: Connection;
  readonly #onClosed: () => void;
  #revoked: (() => void) | undefined;
  #clientEnded = false;
  #serverEnded = false;

  constructor(ipvs: Ipvs, connection: Connection, onClosed: () => void) {
    this.#ipvs = ipvs;
    this.#connection = connection;
    this.#onClosed = onClosed;
  }

  event(event: ConnectionEvent): void {
    if (event === 'closed') {
      this.#close();
      return;
    }
    if (this.#connection.protocol !== 'TCP') return;
    EVENTS[event](this.#ipvs, this.#connection);
    if (event !== 'established') this.#noteEnd(event);
  }

  traffic(fromClientBytes: number, fromServerBytes: number): void {
    this.#ipvs.account(this.#connection, { bytesIn: fromClientBytes, bytesOut: fromServerBytes });
  }

  onRevoked(listener: () => void): void {
    this.#revoked = listener;
  }

  /** The director has forgotten the connection while it was open. */
  revoke(): void {
    const listener = this.#revoked;
    this.#revoked = undefined;
    listener?.();
  }

  /** Open connections count as busy: their entries must not time out unseen. */
  keepAlive(): void {
    const ended = this.#clientEnded || this.#serverEnded;
    if (!ended) this.#ipvs.clientPacket(this.#connection, 'ack');
  }

  #noteEnd(event: Exclude<ConnectionEvent, 'established' | 'closed'>): void {
    if (event === 'client-fin') this.#clientEnded = true;
    else if (event === 'server-fin') this.#serverEnded = true;
    else {
      this.#clientEnded = true;
      this.#serverEnded = true;
    }
  }

  #close(): void {
    this.#revoked = undefined;
    this.#onClosed();
    if (this.#connection.protocol !== 'TCP') this.#ipvs.clientPacket(this.#connection, 'ack');
    else if (!this.#clientEnded || !this.#serverEnded)
      this.#ipvs.serverPacket(this.#connection, 'rst');
  }
}

type SegmentEvent = Exclude<ConnectionEvent, 'closed'>;

const EVENTS: Readonly<Record<SegmentEvent, (ipvs: Ipvs, connection: Connection) => void>> = {
  established(ipvs, connection) {
    ipvs.serverPacket(connection, 'syn');
    ipvs.clientPacket(connection, 'ack');
  },
  'client-fin': (ipvs, connection) => ipvs.clientPacket(connection, 'fin'),
  'server-fin': (ipvs, connection) => ipvs.serverPacket(connection, 'fin'),
  'client-reset': (ipvs, connection) => ipvs.clientPacket(connection, 'rst'),
  'server-reset': (ipvs, connection) => ipvs.serverPacket(connection, 'rst'),
  'connect-failed': (ipvs, connection) => ipvs.serverPacket(connection, 'rst'),
};
