// Every test ends with the sockets, timers, children and lifetimes it began with.
import { afterEach, beforeEach, expect } from 'vitest';
import { openLifetimes } from '../../src/base/lifetime.ts';

const WATCHED = new Set(['TCPSocketWrap', 'TCPServerWrap', 'UDPWrap', 'Timeout', 'ProcessWrap']);
const SETTLE_TURNS = 50;
/**
 * The runner reports to its parent with a timer of 100 ms, which is nobody's leak, and on a busy machine what closes
 * takes its time. Waited for only where something seems to be left.
 */
const PATIENCE = { attempts: 500, eachMs: 10 };

/** How many of each watched kind are open; the test runner's own are part of the baseline. */
function census(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (WATCHED.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function grown(before: Map<string, number>): string[] {
  return [...census()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${kind} +${count - (before.get(kind) ?? 0)}`);
}

let baseline = new Map<string, number>();
let lifetimes: string[] = [];

beforeEach(() => {
  baseline = census();
  lifetimes = openLifetimes();
});

afterEach(async () => {
  // Closing a handle takes effect some loop turns later.
  for (let turn = 0; turn < SETTLE_TURNS && grown(baseline).length > 0; turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  for (let left = PATIENCE.attempts; left > 0 && grown(baseline).length > 0; left -= 1)
    await new Promise((resolve) => setTimeout(resolve, PATIENCE.eachMs));
  expect(grown(baseline), 'sockets, timers or children left open').toEqual([]);
  expect(
    openLifetimes().filter((name) => !lifetimes.includes(name)),
    'lifetimes left open',
  ).toEqual([]);
});
