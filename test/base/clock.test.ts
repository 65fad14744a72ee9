import { expect, test } from 'vitest';
import { ManualClock, sleep } from '../../src/base/clock.ts';

test('callbacks run in order of due time, then of scheduling', () => {
  const clock = new ManualClock();
  const ran: string[] = [];
  for (const [delay, name] of [
    [30, 'c'],
    [10, 'a'],
    [10, 'b'],
    [40, 'd'],
  ] as const)
    clock.setTimer(delay, () => ran.push(`${name}@${clock.now()}`));
  clock.advance(30);
  expect(ran).toEqual(['a@10', 'b@10', 'c@30']);
  expect(clock.pending).toBe(1);
});

test('what a callback schedules within the span runs in the same advance', () => {
  const clock = new ManualClock();
  const ran: number[] = [];
  const again = (): void => {
    ran.push(clock.now());
    if (ran.length < 3) clock.setTimer(5, again);
  };
  clock.setTimer(5, again);
  clock.advance(100);
  expect(ran).toEqual([5, 10, 15]);
  expect(clock.now()).toBe(100);
});

test('a cancelled timer neither runs nor counts, cancelling twice is harmless', () => {
  const clock = new ManualClock();
  const timer = clock.setTimer(1, () => expect.unreachable());
  timer.cancel();
  timer.cancel();
  expect(clock.pending).toBe(0);
  clock.advance(10);
  const done = clock.setTimer(1, () => undefined);
  clock.advance(1);
  done.cancel();
  expect(clock.pending).toBe(0);
});

test('sleep follows the clock and its signal', async () => {
  const clock = new ManualClock();
  const slept = sleep(clock, 1000);
  clock.advance(1000);
  await slept;
  const controller = new AbortController();
  const aborted = sleep(clock, 1000, controller.signal);
  controller.abort(new Error('stop'));
  await expect(aborted).rejects.toThrow('stop');
  expect(clock.pending).toBe(0);
});
