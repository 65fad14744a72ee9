import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';
import { AddressCache, type CacheEntry } from './address-cache.ts';
import { explainWalk } from './explain.ts';
import { activeCost, isOutgrown, leastWeightedLoad } from './overhead.ts';
import type {
  Scheduler,
  SchedulerContext,
  SchedulerPacket,
  SchedulerService,
} from './scheduler.ts';

/** The servers of one virtual address, the newest first. */
class ServerSet implements CacheEntry {
  lastUseMs: number;
  changedAtMs: number;
  readonly members: Destination[] = [];

  constructor(nowMs: number) {
    this.lastUseMs = nowMs;
    this.changedAtMs = nowMs;
  }

  add(destination: Destination, nowMs: number): void {
    if (this.members.includes(destination)) return;
    this.members.unshift(destination);
    destination.references += 1;
    this.changedAtMs = nowMs;
  }

  remove(destination: Destination, nowMs: number): void {
    this.members.splice(this.members.indexOf(destination), 1);
    destination.references -= 1;
    this.changedAtMs = nowMs;
  }

  release(): void {
    for (const destination of this.members) destination.references -= 1;
    this.members.length = 0;
  }
}

/**
 * Locality-based least connections with replication (ip_vs_lblcr.c): a virtual address has a set of
 * servers that grows when its least loaded one is overloaded, and loses its most loaded one when it has
 * not changed for lblcr_expiration.
 */
export class ReplicatedLocalityLeastConnection implements Scheduler {
  readonly #service: SchedulerService;
  readonly #context: SchedulerContext;
  readonly #cache: AddressCache<ServerSet>;
  readonly #cost: number;

  constructor(service: SchedulerService, context: SchedulerContext) {
    this.#service = service;
    this.#context = context;
    this.#cost = activeCost(context.kernel);
    this.#cache = new AddressCache<ServerSet>({
      timers: context.timers,
      kernel: context.kernel,
      now: () => context.now(),
      expirationMs: () => context.sysctls.lblcr_expiration * 1000,
    });
  }

  schedule(packet: SchedulerPacket, trace?: DecisionTrace): Destination | undefined {
    const address = packet.destination.address;
    const set = this.#cache.use(address);
    const member = set === undefined ? undefined : this.#pickAndShrink(set);
    if (member !== undefined && !isOutgrown(member, this.#service.destinations)) {
      if (trace !== undefined)
        this.#explain(trace, set?.members ?? [], member, `least loaded of the set of ${address}`);
      return member;
    }
    const chosen = leastWeightedLoad(this.#service.destinations, this.#cost);
    if (trace !== undefined)
      this.#explain(trace, this.#service.destinations, chosen, 'least load / weight');
    if (chosen === undefined) return undefined;
    if (set === undefined) this.#remember(address, chosen);
    else set.add(chosen, this.#context.now());
    return chosen;
  }

  close(): void {
    this.#cache.close();
  }

  /** The pick comes first: the member removed for being the most loaded may be the one still used now. */
  #pickAndShrink(set: ServerSet): Destination | undefined {
    const least = this.#leastOf(set);
    const now = this.#context.now();
    const expirationMs = this.#context.sysctls.lblcr_expiration * 1000;
    if (set.members.length > 1 && now > set.changedAtMs + expirationMs) {
      const most = this.#mostOf(set);
      if (most !== undefined) set.remove(most, now);
    }
    return least;
  }

  /** wlc's rule within the set; removed ones are skipped as well as overloaded ones. */
  #leastOf(set: ServerSet): Destination | undefined {
    let least: Destination | undefined;
    for (const one of set.members) {
      if (!one.usable || !one.available) continue;
      if (least === undefined || this.#load(least) * one.weight > this.#load(one) * least.weight)
        least = one;
    }
    return least;
  }

  #mostOf(set: ServerSet): Destination | undefined {
    let most: Destination | undefined;
    for (const one of set.members) {
      if (one.weight <= 0) continue;
      if (most === undefined || this.#load(most) * one.weight < this.#load(one) * most.weight)
        most = one;
    }
    return most;
  }

  #remember(address: string, destination: Destination): void {
    const now = this.#context.now();
    const set = new ServerSet(now);
    set.add(destination, now);
    if (!this.#cache.add(address, set)) set.release();
  }

  #load(destination: Destination): number {
    return destination.activeConnections * this.#cost + destination.totalConnections;
  }

  #explain(
    trace: DecisionTrace,
    from: readonly Destination[],
    chosen: Destination | undefined,
    reason: string,
  ): void {
    explainWalk(trace, from, chosen, reason, (one) => this.#load(one));
  }
}
