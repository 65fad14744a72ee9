import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { PersistentMap } from '../../src/services/persistent-map.ts';

const edits = fc.array(
  fc.record({ key: fc.integer({ min: 0, max: 40 }), value: fc.option(fc.integer()) }),
  { maxLength: 30 },
);

function apply(
  map: PersistentMap<string, number>,
  changes: readonly { key: number; value: number | null }[],
): PersistentMap<string, number> {
  return map.edit((draft) => {
    for (const { key, value } of changes)
      if (value === null) draft.delete(`key ${key}`);
      else draft.set(`key ${key}`, value);
  });
}

const entries = (map: PersistentMap<string, number>) =>
  new Map([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)));

test('behaves as a Map, and its predecessors stay as they were', () => {
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 5 }), (rounds) => {
      let map = PersistentMap.empty<string, number>();
      const model = new Map<string, number>();
      for (const changes of rounds) {
        const before = map;
        const beforeEntries = entries(before);
        map = apply(map, changes);
        for (const { key, value } of changes)
          if (value === null) model.delete(`key ${key}`);
          else model.set(`key ${key}`, value);
        expect(entries(map)).toEqual(new Map([...model].toSorted(([a], [b]) => (a < b ? -1 : 1))));
        expect(map.size).toBe(model.size);
        expect(entries(before)).toEqual(beforeEntries);
      }
    }),
  );
});

test('tells exactly the differences between any two maps', () => {
  fc.assert(
    fc.property(edits, edits, (first, second) => {
      const before = apply(PersistentMap.empty(), first);
      const after = apply(before, second);
      const told = [...before.differences(after)].toSorted((a, b) => (a.key < b.key ? -1 : 1));
      const keys = new Set([...before, ...after].map(([key]) => key));
      const expected = [...keys]
        .toSorted()
        .map((key) => ({ key, before: before.get(key), after: after.get(key) }))
        .filter((one) => one.before !== one.after);
      expect(told).toEqual(expected);
    }),
  );
});
