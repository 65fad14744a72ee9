import type { Ipv4Cidr } from '../../base/ip.ts';
import type { NetInterface } from './net-interface.ts';

export interface Route {
  readonly destination: Ipv4Cidr;
  readonly netInterface: NetInterface;
  /** The next hop; absent for what is on the link itself. */
  readonly gateway?: number;
  /** Who put it there, so that a reconciler removes only its own. */
  readonly owner?: string;
}

/** Forwarding information base: one route a prefix, longest prefix first. */
export class Fib {
  readonly #byLength: (Map<number, Route> | undefined)[] = [];
  /** Lengths in use, longest first. */
  #lengths: number[] = [];
  #generation = 0;

  /** Grows with every change: a holder of a looked-up route compares it. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds the route or replaces the one for the same prefix. */
  replace(route: Route): void {
    const { prefixLength, base } = route.destination;
    const routes = this.#byLength[prefixLength] ?? new Map<number, Route>();
    this.#byLength[prefixLength] = routes;
    routes.set(base, route);
    this.#changed();
  }

  /** False when there was none. */
  remove(destination: Ipv4Cidr): boolean {
    const removed = this.#byLength[destination.prefixLength]?.delete(destination.base) ?? false;
    if (removed) this.#changed();
    return removed;
  }

  lookup(address: number): Route | undefined {
    for (const length of this.#lengths) {
      const base = length === 0 ? 0 : (address & (0xffff_ffff << (32 - length))) >>> 0;
      const route = this.#byLength[length]?.get(base);
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** By address, then the shorter prefix first, as `ip route` lists them. */
  routes(): Route[] {
    return this.#lengths
      .flatMap((length) => [...(this.#byLength[length]?.values() ?? [])])
      .toSorted(
        (a, b) =>
          a.destination.base - b.destination.base ||
          a.destination.prefixLength - b.destination.prefixLength,
      );
  }

  #changed(): void {
    this.#generation += 1;
    this.#lengths = this.#byLength
      .flatMap((routes, length) => (routes !== undefined && routes.size > 0 ? [length] : []))
      .toReversed();
  }
}
