import type { ConnectionTable } from './connection-table.ts';
import type { FourTuple } from './tcp-connection.ts';
import type { TupleHash } from './tuple-hash.ts';

export interface ConnectTarget {
  readonly address: number;
  readonly port: number;
  /** One of the stack's addresses. */
  readonly source: number;
  /** 0 or absent: any free one. */
  readonly sourcePort?: number;
}

/** Linux: net.ipv4.tcp_tw_reuse_delay, for a new connection of our own; timestamps tell the two apart. */
const REUSE_TIME_WAIT_MS = 1000;
/** Linux: net.ipv4.ip_local_port_range. */
const EPHEMERAL = { first: 32_768, count: 28_232 } as const;

/** The local end of connections that this stack opens. */
export class EphemeralPorts {
  readonly #table: ConnectionTable;
  readonly #hash: TupleHash;
  #tried = 0;

  constructor(table: ConnectionTable, hash: TupleHash) {
    this.#table = table;
    this.#hash = hash;
  }

  /** RFC 6056 §3.3.3: from a place that depends on the peer, counting up. */
  tupleFor(now: number, target: ConnectTarget): FourTuple | 'ports-exhausted' | 'address-in-use' {
    const tuple = {
      localAddress: target.source,
      localPort: target.sourcePort ?? 0,
      remoteAddress: target.address,
      remotePort: target.port,
    };
    if (tuple.localPort !== 0) return this.#isFree(now, tuple) ? tuple : 'address-in-use';
    const offset = this.#hash.of(tuple);
    for (let tried = 0; tried < EPHEMERAL.count; tried += 1) {
      this.#tried += 1;
      tuple.localPort = EPHEMERAL.first + ((offset + this.#tried) % EPHEMERAL.count);
      if (this.#isFree(now, tuple)) return tuple;
    }
    return 'ports-exhausted';
  }

  /** RFC 6191 from the other side: what has rested in TIME-WAIT for a second gives way. */
  #isFree(now: number, tuple: FourTuple): boolean {
    const known = this.#table.find(tuple);
    if (known === undefined) return true;
    if (known.state !== 'TIME-WAIT' || !known.hasTimestamps) return false;
    const restedMs = now - (known.lingerAt - known.config.timeWaitMs);
    if (restedMs < REUSE_TIME_WAIT_MS) return false;
    known.close('closed');
    return true;
  }
}
