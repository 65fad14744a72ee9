import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { desiredEntries, type LocalNode } from '../../src/overlay/desired-entries.ts';
import type { Lease } from '../../src/overlay/lease.ts';
import { OverlayTables } from '../../src/overlay/overlay-tables.ts';
import type { TableChanges } from '../../src/overlay/owned-table.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { lease, netConf } from './leases.ts';

const local: LocalNode = {
  lease: lease(1),
  conf: netConf({ Backend: { Type: 'vxlan' } }),
  underlayDevice: 'eth0',
  underlayNetworks: [cidr('172.18.0.0/16')],
};

function counts(changes: TableChanges<unknown>): number[] {
  return [changes.added.length, changes.replaced.length, changes.removed.length];
}

describe('OverlayTables', () => {
  test('nothing of a node that left survives, though its leaving was never told', () => {
    const tables = new OverlayTables();
    tables.reconcile(desiredEntries(local, [lease(2), lease(3)]));
    const changes = tables.reconcile(desiredEntries(local, [lease(3)]));
    expect(changes.fdb.removed.map((entry) => entry.owner)).toEqual(['node-2']);
    const owners = [tables.routes, tables.neighbours, tables.fdb].flatMap((table) =>
      Array.from<[unknown, { owner: string }], string>(table.entries, ([, entry]) => entry.owner),
    );
    expect(new Set(owners)).toEqual(new Set(['node-1', 'node-3']));
  });

  test('a node that comes back with another MAC and address replaces what it had', () => {
    const tables = new OverlayTables();
    tables.reconcile(desiredEntries(local, [lease(2)]));
    const moved = lease(2, { publicIp: ip('172.18.9.9'), vtep: { vni: 1, mac: 0x2a } });
    const changes = tables.reconcile(desiredEntries(local, [moved]));
    expect(counts(changes.routes)).toEqual([0, 0, 0]);
    expect(counts(changes.neighbours)).toEqual([0, 1, 0]);
    expect(counts(changes.fdb)).toEqual([1, 0, 1]);
    expect([...tables.neighbours.entries.values()]).toMatchObject([
      { owner: 'node-2', mac: 0x2a, generation: 2 },
    ]);
  });

  test('a reconcile that changes nothing says so and keeps the generations', () => {
    const tables = new OverlayTables();
    tables.reconcile(desiredEntries(local, [lease(2)]));
    const changes = tables.reconcile(desiredEntries(local, [lease(2)]));
    expect([changes.routes, changes.neighbours, changes.fdb].map(counts)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect([...tables.fdb.entries.values()]).toMatchObject([{ generation: 1 }]);
    expect(tables.generation).toBe(2);
  });

  test('a subnet that another node takes over changes its owner', () => {
    const tables = new OverlayTables();
    tables.reconcile(desiredEntries(local, [lease(2)]));
    const successor = { ...lease(2), node: 'node-9' };
    const changes = tables.reconcile(desiredEntries(local, [successor]));
    expect(counts(changes.routes)).toEqual([0, 1, 0]);
    expect(changes.routes.replaced.map((entry) => entry.owner)).toEqual(['node-9']);
  });

  test('after any history the tables are those of the last leases alone', () => {
    const someLease = fc
      .record({
        number: fc.integer({ min: 1, max: 6 }),
        subnet: fc.integer({ min: 1, max: 8 }),
        host: fc.integer({ min: 2, max: 5 }),
        mac: fc.integer({ min: 2, max: 6 }),
      })
      .map(
        ({ number, subnet, host, mac }): Lease =>
          lease(number, {
            subnet: cidr(`10.244.${subnet}.0/24`),
            publicIp: ip(`172.18.0.${host}`),
            vtep: { vni: 1, mac },
          }),
      );
    fc.assert(
      fc.property(fc.array(fc.array(someLease, { maxLength: 6 }), { minLength: 1 }), (history) => {
        const tables = new OverlayTables();
        for (const leases of history) tables.reconcile(desiredEntries(local, leases));
        const fresh = new OverlayTables();
        fresh.reconcile(desiredEntries(local, history.at(-1) ?? []));
        for (const table of ['routes', 'neighbours', 'fdb'] as const)
          expect(withoutGeneration(tables, table)).toEqual(withoutGeneration(fresh, table));
      }),
    );
  });
});

function withoutGeneration(tables: OverlayTables, table: 'routes' | 'neighbours' | 'fdb') {
  return [...tables[table].entries.values()].map((entry) => ({ ...entry, generation: 0 }));
}
