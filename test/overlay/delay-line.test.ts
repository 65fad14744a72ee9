import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { DelayLine } from '../../src/overlay/delay-line.ts';

describe('DelayLine', () => {
  test('delivers in order of time, equal times in order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 50 }), (times) => {
        const clock = new ManualClock();
        const line = new DelayLine(clock);
        const delivered: [at: number, number: number][] = [];
        for (const [number, atMs] of times.entries())
          line.add(atMs, () => delivered.push([clock.now(), number]));
        clock.advance(10);
        const expected = times
          .map((atMs, number): [number, number] => [atMs, number])
          .toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(delivered).toEqual(expected);
        expect(clock.pending).toBe(0);
      }),
    );
  });

  test('has one timer, and none once it has ended', () => {
    const clock = new ManualClock();
    const line = new DelayLine(clock);
    for (const atMs of [5, 3, 9]) line.add(atMs, () => undefined);
    expect(clock.pending).toBe(1);
    line.end();
    expect(clock.pending).toBe(0);
  });

  test('refuses when too much waits', () => {
    const line = new DelayLine(new ManualClock());
    let accepted = 0;
    while (line.add(1, () => undefined)) accepted += 1;
    expect(accepted).toBe(65_536);
  });
});
