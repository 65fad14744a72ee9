import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { ProgressLine } from '../../src/cli/progress-line.ts';

const STEP = { scenario: 'slow-backend', algorithm: 'ipvs-lc', total: 8 };

test('a terminal sees a bar and the time left', () => {
  const clock = new ManualClock();
  let text = '';
  const line = new ProgressLine({ isTTY: true, write: (more) => (text += more) }, clock);
  line.show({ ...STEP, done: 0 });
  expect(text).toContain('░'.repeat(24));
  expect(text).not.toContain('left');
  clock.advance(10_000);
  line.show({ ...STEP, done: 2 });
  expect(text).toContain('██████░');
  expect(text).toContain('slow-backend ipvs-lc about 30 s left');
  line.clear();
  expect(text.endsWith('\r\u001B[2K')).toBe(true);
});

test('a pipe sees nothing', () => {
  let text = '';
  const line = new ProgressLine({ write: (more) => (text += more) }, new ManualClock());
  line.show({ ...STEP, done: 4 });
  line.clear();
  expect(text).toBe('');
});
