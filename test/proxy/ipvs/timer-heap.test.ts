import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { HeapTask, TimerHeap } from '../../../src/proxy/ipvs/timer-heap.ts';

const operation = fc.record({
  task: fc.nat({ max: 9 }),
  delayMs: fc.integer({ min: 0, max: 1000 }),
  thenWaitMs: fc.integer({ min: 0, max: 300 }),
  remove: fc.boolean(),
});

test('every entry fires once, exactly at the last deadline it was given', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const clock = new ManualClock();
      const heap = new TimerHeap(clock);
      const deadlines = new Map<HeapTask, number>();
      const tasks = Array.from({ length: 10 }, () => {
        const task: HeapTask = new HeapTask(() => {
          expect(clock.now()).toBe(deadlines.get(task));
          deadlines.delete(task);
        });
        return task;
      });
      for (const { task: index, delayMs, thenWaitMs, remove } of operations) {
        const task = tasks[index];
        if (task === undefined) continue;
        if (remove) {
          heap.remove(task);
          deadlines.delete(task);
        } else {
          deadlines.set(task, clock.now() + delayMs);
          heap.restart(task, delayMs);
        }
        clock.advance(thenWaitMs);
        for (const deadline of deadlines.values())
          expect(deadline).toBeGreaterThan(clock.now() - 1);
        expect(clock.pending).toBeLessThanOrEqual(1);
      }
      clock.advance(1000);
      expect(deadlines.size).toBe(0);
      expect(clock.pending).toBe(0);
    }),
  );
});

test('a closed heap fires nothing and leaves no timer behind, whatever is still asked of it', () => {
  const clock = new ManualClock();
  const heap = new TimerHeap(clock);
  let fired = 0;
  const before = new HeapTask(() => (fired += 1));
  const after = new HeapTask(() => (fired += 1));
  heap.restart(before, 10);
  heap.close();
  heap.restart(before, 20);
  heap.restart(after, 20);
  expect(clock.pending).toBe(0);
  clock.advance(100);
  expect([fired, before.waiting, after.waiting]).toEqual([0, false, false]);
});
