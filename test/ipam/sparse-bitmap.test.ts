import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SparseBitmap } from '../../src/ipam/sparse-bitmap.ts';

describe('SparseBitmap', () => {
  test('finds what is free across words and pages', () => {
    const bitmap = new SparseBitmap(10_000);
    for (let index = 0; index < 5000; index += 1) bitmap.set(index);
    expect(bitmap.nextFree(0)).toBe(5000);
    expect(bitmap.nextFree(0, 5000)).toBeUndefined();
    bitmap.clear(31);
    bitmap.clear(4095);
    expect(bitmap.nextFree(0)).toBe(31);
    expect(bitmap.nextFree(32)).toBe(4095);
    expect(bitmap.used).toBe(4998);
  });

  test('costs nothing for the empty part of a huge space', () => {
    const bitmap = new SparseBitmap(2 ** 48);
    bitmap.set(2 ** 48 - 1);
    expect(bitmap.nextFree(2 ** 48 - 2)).toBe(2 ** 48 - 2);
    expect(bitmap.nextFree(2 ** 48 - 1)).toBeUndefined();
  });

  test('agrees with a Set under any sequence of operations', () => {
    const index = fc.integer({ min: 0, max: 8999 });
    const operation = fc.tuple(fc.constantFrom('set', 'clear', 'fill', 'nextFree'), index, index);
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const bitmap = new SparseBitmap(9000);
        const model = new Set<number>();
        for (const [kind, a, b] of operations) {
          expect(apply(bitmap, kind, a, b)).toBe(applyToModel(model, kind, a, b));
          expect([bitmap.has(a), bitmap.used]).toEqual([model.has(a), model.size]);
        }
      }),
    );
  });
});

function apply(bitmap: SparseBitmap, kind: string, a: number, b: number): unknown {
  if (kind === 'set') return bitmap.set(a);
  if (kind === 'clear') return bitmap.clear(a);
  if (kind === 'nextFree') return bitmap.nextFree(a, b);
  for (let at = Math.min(a, b); at < Math.max(a, b); at += 1) bitmap.set(at);
  return 'filled';
}

function applyToModel(model: Set<number>, kind: string, a: number, b: number): unknown {
  if (kind === 'clear') return model.delete(a);
  if (kind === 'nextFree') {
    let at = a;
    while (model.has(at)) at += 1;
    return at < b ? at : undefined;
  }
  if (kind === 'set') {
    const isNew = !model.has(a);
    model.add(a);
    return isNew;
  }
  for (let at = Math.min(a, b); at < Math.max(a, b); at += 1) model.add(at);
  return 'filled';
}
