import { Connection, type ConnectionInit } from './connection.ts';
import type { KernelBehaviour } from './kernel.ts';
import type { TimerHeap } from './timer-heap.ts';

export interface ConnectionTableOptions {
  readonly timers: TimerHeap;
  readonly kernel: KernelBehaviour;
  /** Entries and templates; beyond it none is made. */
  readonly maxConnections: number;
  /** Told after an entry has left the table for whatever reason; not of templates. */
  readonly onConnectionEnd: ((connection: Connection) => void) | undefined;
}

/** A jiffy at CONFIG_HZ=250, Debian's: how long what the kernel does at once takes to happen. */
export const TICK_MS = 4;

/** A template that is due while entries depend on it is put off by this much, for good. */
const HELD_TEMPLATE_MS = 60_000;

/** The entries of one director, their timers, and what they count for at their destinations. */
export class ConnectionTable {
  readonly #options: ConnectionTableOptions;
  readonly #byKey = new Map<string, Connection>();
  /** Also those no packet can find any more: replaced entries for a moment, invalid templates. */
  readonly #all = new Set<Connection>();

  constructor(options: ConnectionTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#all.size;
  }

  get full(): boolean {
    return this.#all.size >= this.#options.maxConnections;
  }

  find(key: string): Connection | undefined {
    return this.#byKey.get(key);
  }

  /** In order of creation. */
  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.values();
  }

  /** Makes an entry and counts it at its destination. Its timer starts with {@link restart}. */
  add(init: ConnectionInit): Connection {
    const connection = new Connection(init, this.#onExpire);
    this.#all.add(connection);
    if (!connection.onePacket) this.#byKey.set(connection.key, connection);
    const destination = connection.destination;
    destination.references += 1;
    if (connection.template) destination.persistentConnections += 1;
    else destination.totalConnections += 1;
    if (!connection.template || this.#options.kernel.templatesMoveOverload)
      destination.checkUpperThreshold();
    return connection;
  }

  /** The entry's time begins anew. */
  restart(connection: Connection): void {
    this.#options.timers.restart(connection, connection.timeoutMs);
  }

  /** The entry ends with the next tick; until then it counts and is found. */
  expireSoon(connection: Connection): void {
    this.#options.timers.restart(connection, TICK_MS);
  }

  setActive(connection: Connection, active: boolean): void {
    if (connection.active === active) return;
    connection.active = active;
    connection.destination.activeConnections += active ? 1 : -1;
  }

  hold(template: Connection, connection: Connection): void {
    connection.control = template;
    template.controlled += 1;
  }

  /** The template is not found any more but stays until its timer ends. */
  invalidate(template: Connection): void {
    template.invalid = true;
    if (this.#byKey.get(template.key) === template) this.#byKey.delete(template.key);
  }

  end(connection: Connection): void {
    if (connection.ended) return;
    connection.ended = true;
    this.#options.timers.remove(connection);
    this.#all.delete(connection);
    if (this.#byKey.get(connection.key) === connection) this.#byKey.delete(connection.key);
    if (connection.control !== undefined) connection.control.controlled -= 1;
    this.#uncount(connection);
    if (!connection.template) this.#options.onConnectionEnd?.(connection);
  }

  /** Ends every entry of a removed destination, and templates that hold nothing else. */
  endUnavailable(): void {
    for (const connection of this.#all) {
      if (connection.destination.available || connection.controlled > 0) continue;
      this.end(connection);
      const template = connection.control;
      if (template !== undefined && template.controlled === 0) this.end(template);
    }
  }

  readonly #onExpire = (connection: Connection): void => {
    if (connection.controlled === 0) {
      this.end(connection);
      return;
    }
    connection.timeoutMs = HELD_TEMPLATE_MS;
    this.restart(connection);
  };

  #uncount(connection: Connection): void {
    const destination = connection.destination;
    destination.references -= 1;
    if (connection.template) destination.persistentConnections -= 1;
    else {
      this.setActive(connection, false);
      destination.totalConnections -= 1;
    }
    if (!connection.template || this.#options.kernel.templatesMoveOverload)
      destination.checkLowerThreshold();
  }
}
