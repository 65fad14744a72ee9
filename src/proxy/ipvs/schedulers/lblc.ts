import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';
import { AddressCache, type CacheEntry } from './address-cache.ts';
import { explainChoice, explainWalk } from './explain.ts';
import { activeCost, isOutgrown, leastWeightedLoad } from './overhead.ts';
import type {
  Scheduler,
  SchedulerContext,
  SchedulerPacket,
  SchedulerService,
} from './scheduler.ts';

/** A cached server; it is held on to even after its removal, for it may come back. */
class CachedServer implements CacheEntry {
  lastUseMs: number;
  #destination: Destination;

  constructor(destination: Destination, nowMs: number) {
    this.#destination = destination;
    this.lastUseMs = nowMs;
    destination.references += 1;
  }

  get destination(): Destination {
    return this.#destination;
  }

  replace(destination: Destination): void {
    this.release();
    this.#destination = destination;
    destination.references += 1;
  }

  release(): void {
    this.#destination.references -= 1;
  }
}

/**
 * Locality-based least connections (ip_vs_lblc.c): a virtual address stays with its server until that
 * one is overloaded while another is below half load. The threshold flag of the cached server is not
 * looked at.
 */
export class LocalityLeastConnection implements Scheduler {
  readonly #service: SchedulerService;
  readonly #context: SchedulerContext;
  readonly #cache: AddressCache<CachedServer>;
  readonly #cost: number;

  constructor(service: SchedulerService, context: SchedulerContext) {
    this.#service = service;
    this.#context = context;
    this.#cost = activeCost(context.kernel);
    this.#cache = new AddressCache<CachedServer>({
      timers: context.timers,
      kernel: context.kernel,
      now: () => context.now(),
      expirationMs: () => context.sysctls.lblc_expiration * 1000,
    });
  }

  schedule(packet: SchedulerPacket, trace?: DecisionTrace): Destination | undefined {
    const address = packet.destination.address;
    const cached = this.#cache.use(address);
    if (cached !== undefined && this.#keeps(cached.destination)) {
      if (trace !== undefined) explainChoice(trace, cached.destination, `cached for ${address}`);
      return cached.destination;
    }
    const chosen = leastWeightedLoad(this.#service.destinations, this.#cost);
    if (trace !== undefined)
      explainWalk(
        trace,
        this.#service.destinations,
        chosen,
        'least load / weight',
        (one) => one.activeConnections * this.#cost + one.totalConnections,
      );
    if (chosen === undefined) return undefined;
    if (cached === undefined) this.#remember(address, chosen);
    else if (cached.destination !== chosen) cached.replace(chosen);
    return chosen;
  }

  close(): void {
    this.#cache.close();
  }

  #keeps(destination: Destination): boolean {
    return (
      destination.available &&
      destination.weight > 0 &&
      !isOutgrown(destination, this.#service.destinations)
    );
  }

  #remember(address: string, destination: Destination): void {
    const entry = new CachedServer(destination, this.#context.now());
    if (!this.#cache.add(address, entry)) entry.release();
  }
}
