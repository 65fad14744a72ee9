import type { IpAddress } from '../base/ip.ts';
import type {
  FdbEntry,
  ForwardingEntries,
  NeighbourEntry,
  RouteEntry,
} from './forwarding-entries.ts';
import { OwnedTable, type TableChanges } from './owned-table.ts';

export interface OverlayChanges {
  readonly routes: TableChanges<RouteEntry>;
  readonly neighbours: TableChanges<NeighbourEntry>;
  readonly fdb: TableChanges<FdbEntry>;
}

/** The routes, neighbours and FDB of one node. */
export class OverlayTables {
  readonly routes: OwnedTable<string, RouteEntry> = new OwnedTable(
    (entry) => `${entry.destination.base}/${entry.destination.prefixLength}`,
    (a, b) =>
      a.device === b.device &&
      a.onlink === b.onlink &&
      isSame(a.via, b.via) &&
      isSame(a.source, b.source),
  );
  readonly neighbours: OwnedTable<string, NeighbourEntry> = new OwnedTable(
    (entry) => `${entry.address.value} ${entry.device}`,
    (a, b) => a.mac === b.mac,
  );
  readonly fdb: OwnedTable<string, FdbEntry> = new OwnedTable(
    (entry) => `${entry.mac} ${entry.device}`,
    (a, b) => isSame(a.destination, b.destination),
  );
  #generation = 0;

  /** How often {@link reconcile} ran. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Makes the tables equal to `wanted` and says what that changed. Apply neighbours and FDB before routes where
   * they are added, after them where they are removed: a route without its neighbour would make the node ask for it.
   */
  reconcile(wanted: ForwardingEntries): OverlayChanges {
    this.#generation += 1;
    return {
      routes: this.routes.reconcile(wanted.routes, this.#generation),
      neighbours: this.neighbours.reconcile(wanted.neighbours, this.#generation),
      fdb: this.fdb.reconcile(wanted.fdb, this.#generation),
    };
  }
}

function isSame(a: IpAddress | undefined, b: IpAddress | undefined): boolean {
  return a?.family === b?.family && a?.value === b?.value;
}
