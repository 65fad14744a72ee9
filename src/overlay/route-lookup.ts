import { cidrOf, type IpAddress } from '../base/ip.ts';
import type { RouteEntry } from './forwarding-entries.ts';

/** Which route a packet takes: the longest prefix that holds its destination. Built once, for a table that is final. */
export class RouteLookup {
  readonly #byPrefix = new Map<string, RouteEntry>();
  /** Prefix lengths in use by family, longest first. */
  readonly #lengths: Readonly<Record<IpAddress['family'], readonly number[]>>;

  constructor(routes: Iterable<RouteEntry>) {
    const lengths = { IPv4: new Set<number>(), IPv6: new Set<number>() };
    for (const route of routes) {
      const { family, base, prefixLength } = route.destination;
      this.#byPrefix.set(keyOf(family, base, prefixLength), route);
      lengths[family].add(prefixLength);
    }
    this.#lengths = { IPv4: descending(lengths.IPv4), IPv6: descending(lengths.IPv6) };
  }

  lookup(address: IpAddress): RouteEntry | undefined {
    const { family } = address;
    for (const length of this.#lengths[family]) {
      const route = this.#byPrefix.get(keyOf(family, cidrOf(address, length).base, length));
      if (route !== undefined) return route;
    }
    return undefined;
  }
}

function keyOf(family: string, base: number | bigint, prefixLength: number): string {
  return `${family} ${base}/${prefixLength}`;
}

function descending(lengths: ReadonlySet<number>): number[] {
  return [...lengths].toSorted((a, b) => b - a);
}
