import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { DEFAULT_SYNC_PERIODS, type SyncPeriods, SyncRunner } from '../../src/proxy/sync-runner.ts';

function setUp(periods: Partial<SyncPeriods> = {}) {
  const clock = new ManualClock();
  const runs: number[] = [];
  const runner = new SyncRunner(clock, { ...DEFAULT_SYNC_PERIODS, ...periods }, () => {
    runs.push(clock.now());
  });
  return { clock, runs, runner };
}

describe('sync runner', () => {
  test('makes one run of the requests of one turn', () => {
    const { clock, runs, runner } = setUp();
    for (let request = 0; request < 10; request += 1) runner.request();
    expect(runs).toEqual([]);
    clock.advance(0);
    expect(runs).toEqual([0]);
    runner.stop();
  });

  test('runs at once every time when there is no minimum interval', () => {
    const { clock, runs, runner } = setUp();
    for (let second = 0; second < 5; second += 1) {
      runner.request();
      clock.advance(1);
    }
    expect(runs).toEqual([0, 1, 2, 3, 4]);
    runner.stop();
  });

  test('spends a burst of two, then runs once a minimum interval', () => {
    const { clock, runs, runner } = setUp({ minIntervalMs: 1000 });
    for (let tick = 0; tick < 40; tick += 1) {
      runner.request();
      clock.advance(100);
    }
    expect(runs).toEqual([0, 100, 1000, 2000, 3000, 4000]);
    runner.stop();
  });

  test('forces a run after the maximum interval', () => {
    const { clock, runs, runner } = setUp({ maxIntervalMs: 60_000 });
    runner.request();
    clock.advance(150_000);
    expect(runs).toEqual([0, 60_000, 120_000]);
    runner.stop();
  });

  test('tries a failed run again after the retry interval, or when asked', () => {
    const clock = new ManualClock();
    let failures = 2;
    const runs: number[] = [];
    const runner = new SyncRunner(clock, { ...DEFAULT_SYNC_PERIODS, retryIntervalMs: 500 }, () => {
      runs.push(clock.now());
      if (failures === 0) return;
      failures -= 1;
      throw new Error('no rules today');
    });
    runner.request();
    expect(() => clock.advance(0)).toThrow('no rules today');
    expect(() => clock.advance(500)).toThrow('no rules today');
    clock.advance(100);
    runner.request();
    clock.advance(1000);
    expect(runs).toEqual([0, 500, 600]);
    runner.stop();
  });

  test('leaves nothing behind when stopped', () => {
    const { clock, runs, runner } = setUp({ minIntervalMs: 1000 });
    runner.request();
    clock.advance(10);
    runner.request();
    runner.stop();
    clock.advance(10_000_000);
    expect(runs).toEqual([0]);
    expect(clock.pending).toBe(0);
  });
});
