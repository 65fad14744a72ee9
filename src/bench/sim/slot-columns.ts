import { SlotTable } from './slot-table.ts';

/** Open connections, one column a property, one row a slot. */
export class ConnectionTable {
  readonly slots: SlotTable = new SlotTable();
  backend: Int32Array<ArrayBuffer> = new Int32Array(1024);
  node: Int32Array<ArrayBuffer> = new Int32Array(1024);
  /** The closed-loop client that holds it, or -1. */
  client: Int32Array<ArrayBuffer> = new Int32Array(1024);
  /** Requests yet to be sent. */
  left: Float64Array<ArrayBuffer> = new Float64Array(1024);
  /** Requests sent and not answered. */
  inFlight: Int32Array<ArrayBuffer> = new Int32Array(1024);
  /** When the latest request was due. */
  intendedAt: Float64Array<ArrayBuffer> = new Float64Array(1024);
  /** Counts lives of the slot, so that events of a former life are known. */
  stamp: Int32Array<ArrayBuffer> = new Int32Array(1024);

  take(): number {
    const slot = this.slots.take();
    if (slot === this.backend.length) this.#grow();
    return slot;
  }

  release(slot: number): void {
    this.stamp[slot] = ((this.stamp[slot] as number) + 1) | 0;
    this.backend[slot] = -1;
    this.slots.release(slot);
  }

  #grow(): void {
    this.backend = doubled(this.backend);
    this.node = doubled(this.node);
    this.client = doubled(this.client);
    this.left = doubledFloat(this.left);
    this.inFlight = doubled(this.inFlight);
    this.intendedAt = doubledFloat(this.intendedAt);
    this.stamp = doubled(this.stamp);
  }
}

/** Requests that are waiting or being served. */
export class RequestTable {
  readonly slots: SlotTable = new SlotTable();
  connection: Int32Array<ArrayBuffer> = new Int32Array(1024);
  intendedAt: Float64Array<ArrayBuffer> = new Float64Array(1024);
  sentAt: Float64Array<ArrayBuffer> = new Float64Array(1024);
  stamp: Int32Array<ArrayBuffer> = new Int32Array(1024);

  take(connection: number, intendedAt: number, sentAt: number): number {
    const slot = this.slots.take();
    if (slot === this.connection.length) this.#grow();
    this.connection[slot] = connection;
    this.intendedAt[slot] = intendedAt;
    this.sentAt[slot] = sentAt;
    return slot;
  }

  release(slot: number): void {
    this.stamp[slot] = ((this.stamp[slot] as number) + 1) | 0;
    this.connection[slot] = -1;
    this.slots.release(slot);
  }

  #grow(): void {
    this.connection = doubled(this.connection);
    this.intendedAt = doubledFloat(this.intendedAt);
    this.sentAt = doubledFloat(this.sentAt);
    this.stamp = doubled(this.stamp);
  }
}

function doubled(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}

function doubledFloat(column: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(column.length * 2);
  larger.set(column);
  return larger;
}
