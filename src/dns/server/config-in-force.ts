import type { Clock } from '../../base/clock.ts';
import type { Cell, Family } from '../metrics/metric-families.ts';
import type { DnsRequest } from '../plugin/plugin.ts';
import { QueryTrace } from '../plugin/query-trace.ts';
import { Dispatcher, type Arrival, type Dispatched } from './dispatcher.ts';
import type { ServerConfig } from './server-block.ts';
import { sleep } from '../../base/clock.ts';

/** Queries of an old Corefile get this long to be answered by its plugins. */
const MAX_IDLE_WAIT_MS = 6000;

interface ConfigServices {
  readonly clock: Clock;
  readonly enabled: Family<Cell>;
  /** After a query that a plugin wanted traced. */
  readonly onTraced: (dispatched: Dispatched, trace: QueryTrace) => void;
  readonly onPanic: (error: unknown, request: DnsRequest) => void;
}

/** One Corefile's plugins while they run, and the queries they are working on. Owns the plugins. */
export class ConfigInForce {
  readonly #config: ServerConfig;
  readonly #services: ConfigServices;
  readonly #dispatcher: Dispatcher;
  #pending = 0;
  #onIdle: (() => void) | undefined;
  #closed = false;

  constructor(config: ServerConfig, services: ConfigServices) {
    this.#config = config;
    this.#services = services;
    this.#dispatcher = new Dispatcher(config, services.clock, services.onPanic);
  }

  /** Starts the plugins in order. When one fails, close the whole. */
  async start(): Promise<void> {
    for (const { instance } of this.#config.instances) {
      await instance.start?.();
    }
  }

  async dispatch(arrival: Arrival): Promise<Dispatched> {
    this.#pending += 1;
    try {
      if (!this.#config.traces) return await this.#dispatcher.dispatch(arrival);
      const trace = arrival.trace ?? new QueryTrace();
      const dispatched = await this.#dispatcher.dispatch({ ...arrival, trace });
      dispatched.request.reuse.refuse();
      this.#services.onTraced(dispatched, trace);
      return dispatched;
    } finally {
      this.#pending -= 1;
      if (this.#pending === 0) this.#onIdle?.();
    }
  }

  /** Resolves when no query is under way, or after six seconds. */
  async idle(): Promise<void> {
    if (this.#pending === 0) return;
    const stop = new AbortController();
    const limit = sleep(this.#services.clock, MAX_IDLE_WAIT_MS, stop.signal).catch(() => undefined);
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await Promise.race([idle, limit]);
    stop.abort(new Error('idle'));
  }

  /** Sets `coredns_plugin_enabled` of this Corefile's plugins. */
  describe(value: 0 | 1): void {
    for (const { server, zone, name } of this.#config.enabled)
      this.#services.enabled.of(server, zone, '', name).value = value;
  }

  async drain(): Promise<void> {
    const draining = this.#config.instances.map(async ({ instance }) => instance.drain?.());
    await Promise.all(draining);
  }

  /** Also closes plugins that were set up but not started. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { instance } of this.#config.instances.toReversed()) await instance.close?.();
  }
}
