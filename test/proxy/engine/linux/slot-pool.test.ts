import { expect, test } from 'vitest';
import { SlotPool } from '../../../../src/proxy/engine/linux/slot-pool.ts';

test('hands out each slot once, the warmest first, and none beyond the last', () => {
  const pool = new SlotPool(3, () => false);
  expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([0, 1, 2, undefined]);
  pool.putBack(1);
  pool.putBack(0);
  expect([pool.take(), pool.take(), pool.take()]).toEqual([0, 1, undefined]);
});

test('a slot that was given up is free once nothing is pending on it', () => {
  const pending = new Set([0]);
  const pool = new SlotPool(1, (slot) => pending.has(slot));
  expect(pool.take()).toBe(0);
  pool.giveUp(0);
  expect(pool.take()).toBeUndefined();
  pending.delete(0);
  expect(pool.take()).toBe(0);
});

test('slots that were given up come back in their order, none twice', () => {
  const pending = new Set<number>();
  const pool = new SlotPool(50, (slot) => pending.has(slot));
  for (let round = 0; round < 20; round += 1) {
    const taken = Array.from({ length: 50 }, () => pool.take());
    expect(new Set(taken).size).toBe(50);
    for (const slot of taken) pool.giveUp(slot ?? -1);
  }
});
