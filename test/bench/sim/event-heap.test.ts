import { array, assert, double, property } from 'fast-check';
import { expect, test } from 'vitest';
import { EventHeap } from '../../../src/bench/sim/event-heap.ts';

test('events come out in order of time, with their payloads and stamps', () => {
  const times = array(double({ min: 0, max: 1e6, noNaN: true }), { maxLength: 3000 });
  assert(
    property(times, (list) => {
      const heap = new EventHeap();
      for (const [index, time] of list.entries()) heap.push(time, index, index * 2);
      const out: number[] = [];
      for (; heap.size > 0; heap.pop()) {
        expect(list[heap.nextPayload]).toBe(heap.nextTime);
        expect(heap.nextStamp).toBe(heap.nextPayload * 2);
        out.push(heap.nextTime);
      }
      expect(out).toEqual(list.toSorted((a, b) => a - b));
    }),
    { numRuns: 50 },
  );
});

test('an empty heap is never due', () => {
  const heap = new EventHeap();
  expect(heap.nextTime).toBe(Infinity);
  heap.push(5, 1, 0);
  heap.pop();
  expect(heap.nextTime).toBe(Infinity);
});
