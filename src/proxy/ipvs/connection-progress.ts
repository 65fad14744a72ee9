import type { Connection } from './connection.ts';
import type { ConnectionTable } from './connection-table.ts';
import {
  isActiveTcpState,
  nextTcpState,
  type Segment,
  type Side,
  type TcpState,
} from './tcp-states.ts';
import type { ConnectionTimeouts } from './timeouts.ts';

/** What a packet does to the entry it belongs to: state, timer and traffic counters. */
export class ConnectionProgress {
  readonly #connections: ConnectionTable;
  readonly #timeouts: ConnectionTimeouts;
  readonly #now: () => number;

  constructor(connections: ConnectionTable, timeouts: ConnectionTimeouts, now: () => number) {
    this.#connections = connections;
    this.#timeouts = timeouts;
    this.#now = now;
  }

  /** The state after a packet, and the entry's time anew. */
  advance(connection: Connection, side: Side, segment: Segment): void {
    if (connection.protocol === 'UDP') {
      connection.state = 'UDP';
      connection.timeoutMs = this.#timeouts.udpMs;
      if (side === 'server') assure(connection.control);
    } else {
      // Only templates and UDP entries have other states.
      const state = nextTcpState(connection.state as TcpState, side, segment);
      connection.state = state;
      connection.timeoutMs = this.#timeouts.tcpMs[state];
      this.#connections.setActive(connection, isActiveTcpState(state));
      if (state === 'ESTABLISHED') assure(connection.control);
    }
    this.#connections.restart(connection);
  }

  countConnection(connection: Connection): void {
    this.#settle(connection);
    connection.service.traffic.connections += 1;
    connection.destination.traffic.connections += 1;
  }

  countIn(connection: Connection, packets: number, bytes: number): void {
    this.#settle(connection);
    connection.service.traffic.packetsIn += packets;
    connection.service.traffic.bytesIn += bytes;
    connection.destination.traffic.packetsIn += packets;
    connection.destination.traffic.bytesIn += bytes;
  }

  countOut(connection: Connection, packets: number, bytes: number): void {
    this.#settle(connection);
    connection.service.traffic.packetsOut += packets;
    connection.service.traffic.bytesOut += bytes;
    connection.destination.traffic.packetsOut += packets;
    connection.destination.traffic.bytesOut += bytes;
  }

  #settle({ service, destination }: Connection): void {
    const now = this.#now();
    service.traffic.settle(now);
    destination.traffic.settle(now);
  }
}

function assure(template: Connection | undefined): void {
  if (template !== undefined) template.state = 'ASSURED';
}
