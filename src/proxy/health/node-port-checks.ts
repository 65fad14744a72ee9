import type { Clock } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { HealthCheckNodePort, RoutingTable } from '../../services/routing-table.ts';
import type { Spot } from '../listen-problem.ts';
import { type ListenerEvents, ListenerTable } from '../listener-table.ts';
import { nodePortAnswer } from './health-answers.ts';
import { NOT_FOUND, serveHttp } from './http-server.ts';
import type { ProxyHealth } from './proxy-health.ts';

/**
 * One HTTP server a check port of one node (pkg/proxy/healthcheck/service_health.go): load balancers ask there
 * whether this node has endpoints of the Service. A port that cannot be had is reported and tried again.
 */
export class NodePortChecks implements Resource {
  readonly #addresses: readonly string[];
  readonly #health: ProxyHealth;
  readonly #listeners: ListenerTable<string>;
  #checks: RoutingTable['healthCheckNodePorts'] | undefined;

  constructor(options: {
    readonly addresses: readonly string[];
    readonly health: ProxyHealth;
    readonly clock: Clock;
    readonly events: ListenerEvents;
  }) {
    this.#addresses = options.addresses;
    this.#health = options.health;
    this.#listeners = new ListenerTable({
      clock: options.clock,
      events: options.events,
      open: (spot, owners) => serveHttp(spot, () => this.#answer([...owners.keys()])),
    });
  }

  update(checks: RoutingTable['healthCheckNodePorts']): void {
    if (this.#checks !== undefined)
      for (const { key, before, after } of this.#checks.differences(checks)) {
        if (before !== undefined && before.port !== after?.port)
          for (const spot of this.#spots(before)) this.#listeners.release(spot, key);
        if (after !== undefined) this.#claim(key, after);
      }
    else for (const [key, check] of checks) this.#claim(key, check);
    this.#checks = checks;
  }

  settled(): Promise<void> {
    return this.#listeners.settled();
  }

  close(): Promise<void> {
    return this.#listeners.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #claim(key: string, check: HealthCheckNodePort): void {
    for (const spot of this.#spots(check))
      this.#listeners.claim(spot, key, {
        kind: 'health-check',
        service: key,
        text: `the health check of ${key}`,
      });
  }

  #spots({ port }: HealthCheckNodePort): Spot[] {
    return this.#addresses.map((address) => ({ protocol: 'TCP', address, port }));
  }

  #answer(services: readonly string[]) {
    const check = this.#checks?.get(services[0] ?? '');
    return check === undefined ? NOT_FOUND : nodePortAnswer(check, this.#health.status().healthy);
  }
}
