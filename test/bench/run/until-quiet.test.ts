import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { Pulse } from '../../../src/bench/live/pulse.ts';
import { isDisturbed, type Slip, togetherSlip } from '../../../src/bench/live/slip.ts';
import { untilQuiet } from '../../../src/bench/run/until-quiet.ts';

const QUIET: Slip = { meanMs: 1, p99Ms: 3 };
const BUSY: Slip = { meanMs: 20, p99Ms: 50 };
const BUSIER: Slip = { meanMs: 30, p99Ms: 50 };
const STALLED: Slip = { meanMs: 2, p99Ms: 400 };

/** Attempts with these slips, one after the other. */
function attempts(...slips: readonly Slip[]) {
  const told: boolean[] = [];
  const attempt = async (again: boolean): Promise<{ slip: Slip; number: number }> => {
    const number = told.push(again);
    return { slip: slips[number - 1] ?? QUIET, number };
  };
  return { attempt, told };
}

test.each<[string, Slip[], number, number, boolean[]]>([
  ['a quiet one is taken as it is', [QUIET], 3, 1, [false]],
  ['a disturbed one is done again', [BUSY, QUIET], 3, 2, [false, true]],
  ['so is one that stalled', [STALLED, QUIET], 3, 2, [false, true]],
  [
    'a quiet one is taken, also with the higher mean',
    [STALLED, { ...QUIET, meanMs: 4 }],
    1,
    2,
    [false, true],
  ],
  ['but only so often', [BUSIER, BUSY, BUSIER, QUIET], 2, 2, [false, true, true]],
  ['or never', [BUSY, QUIET], 0, 1, [false]],
])('%s', async (_, slips, redos, number, told) => {
  const script = attempts(...slips);
  const { kept, redone } = await untilQuiet(script.attempt, redos);
  expect(kept.number).toBe(number);
  expect(redone).toBe(told.length - 1);
  expect(script.told).toEqual(told);
});

test('slips of processes add up, the worst tail counts', () => {
  expect(togetherSlip([QUIET, BUSY])).toEqual({ meanMs: 21, p99Ms: 50 });
  expect([QUIET, BUSY, STALLED].map(isDisturbed)).toEqual([false, true, true]);
});

test('a pulse tells how late it was since it was last asked', () => {
  const clock = new ManualClock();
  const pulse = new Pulse(clock);
  clock.advance(100);
  expect(pulse.take()).toEqual({ meanMs: 0, p99Ms: 0 });
  clock.advanceTo(clock.now() + 10);
  expect(pulse.take()).toEqual({ meanMs: 0, p99Ms: 0 });
});
