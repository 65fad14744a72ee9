import type { FourTuple, TcpConnection } from './tcp-connection.ts';
import type { TupleHash } from './tuple-hash.ts';

/** Connections by their four numbers: a hash map with chains, so that a lookup allocates nothing. */
export class ConnectionTable {
  readonly #buckets = new Map<number, TcpConnection>();
  readonly #hash: TupleHash;
  #size = 0;

  constructor(hash: TupleHash) {
    this.#hash = hash;
  }

  get size(): number {
    return this.#size;
  }

  find(tuple: FourTuple): TcpConnection | undefined {
    let connection = this.#buckets.get(this.#bucketOf(tuple));
    while (connection !== undefined && !isSame(connection, tuple))
      connection = connection.nextInBucket;
    return connection;
  }

  add(connection: TcpConnection): void {
    const bucket = this.#bucketOf(connection);
    connection.nextInBucket = this.#buckets.get(bucket);
    this.#buckets.set(bucket, connection);
    this.#size += 1;
  }

  remove(connection: TcpConnection): void {
    const bucket = this.#bucketOf(connection);
    const first = this.#buckets.get(bucket);
    const rest = connection.nextInBucket;
    connection.nextInBucket = undefined;
    if (first === connection) {
      if (rest === undefined) this.#buckets.delete(bucket);
      else this.#buckets.set(bucket, rest);
      this.#size -= 1;
      return;
    }
    for (let before = first; before !== undefined; before = before.nextInBucket)
      if (before.nextInBucket === connection) {
        before.nextInBucket = rest;
        this.#size -= 1;
        return;
      }
  }

  /** A copy, so that connections may close while it is walked. */
  all(): TcpConnection[] {
    const connections: TcpConnection[] = [];
    for (const first of this.#buckets.values())
      for (
        let connection: TcpConnection | undefined = first;
        connection !== undefined;
        connection = connection.nextInBucket
      )
        connections.push(connection);
    return connections;
  }

  /** 30 bits, so that the key is a small integer everywhere. */
  #bucketOf(tuple: FourTuple): number {
    return this.#hash.of(tuple) >>> 2;
  }
}

function isSame(a: FourTuple, b: FourTuple): boolean {
  return (
    a.localPort === b.localPort &&
    a.remotePort === b.remotePort &&
    a.remoteAddress === b.remoteAddress &&
    a.localAddress === b.localAddress
  );
}
