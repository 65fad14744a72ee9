// Traces of twos cannot be repeated draw by draw: what must hold of every draw and of all together.
import type { KernelBehaviour } from '../../src/proxy/ipvs/kernel.ts';
import type { Difference } from './judge.ts';
import { TracePlayer } from './player.ts';
import type { DestRow, Trace, TraceEvent } from './trace.ts';

const RUNS = 20;
/** Standard deviations; a wrong share fails, bad luck once in a million traces. */
const SIGMAS = 5;

/**
 * Each recorded event must be possible: refused exactly when the core refuses, a usable destination when
 * not, the same number of connections in the lists. Over the whole trace each destination's share must
 * agree with the share it has over some seeds here.
 */
export async function judgeRandom(
  trace: Trace,
  kernel: KernelBehaviour,
): Promise<Difference | undefined> {
  const shares = new Map<string, number>();
  for (let run = 0; run < RUNS; run += 1) {
    const player = new TracePlayer(trace, kernel, `${trace.id} ${run}`);
    try {
      for (const [index, event] of trace.events.entries()) {
        const before = [...player.lists().values()].flat();
        const { result = null, error = null } = player.play(event);
        const after = [...player.lists().values()].flat();
        const impossible = checkEvent(event, result, error, before, after);
        if (impossible !== undefined) return { index, event, ...impossible };
        if (result !== null) shares.set(result, (shares.get(result) ?? 0) + 1 / RUNS);
      }
    } finally {
      await player.close();
    }
  }
  return compareShares(trace, shares);
}

type Mismatch = Pick<Difference, 'what' | 'expected' | 'actual'>;

function checkEvent(
  event: TraceEvent,
  result: string | null,
  error: string | null,
  before: readonly DestRow[],
  after: readonly DestRow[],
): Mismatch | undefined {
  if ((event.error ?? null) !== error)
    return { what: 'error', expected: event.error ?? null, actual: error };
  const recorded = typeof event.result === 'string' ? event.result : null;
  for (const chosen of event.op === 'connect' || event.op === 'udp' ? [recorded, result] : [])
    if (chosen !== null && !before.some(([name, weight]) => name === chosen && weight > 0))
      return { what: 'chosen', expected: 'a destination of weight above 0', actual: chosen };
  if (!Array.isArray(event.dests)) return undefined;
  const expected = summary(event.dests as readonly DestRow[]);
  const actual = summary(after);
  return expected === actual ? undefined : { what: 'dests', expected, actual };
}

/** What does not depend on the draws: names, weights, and the totals of the counters. */
function summary(rows: readonly DestRow[]): string {
  const names = rows.map(([name, weight]) => `${name}=${weight}`).join(' ');
  const active = rows.reduce((sum, row) => sum + row[2], 0);
  const inactive = rows.reduce((sum, row) => sum + row[3], 0);
  return `${names} active ${active} inactive ${inactive}`;
}

function compareShares(trace: Trace, shares: ReadonlyMap<string, number>): Difference | undefined {
  const recorded = new Map<string, number>();
  for (const { op, result } of trace.events)
    if ((op === 'connect' || op === 'udp') && typeof result === 'string')
      recorded.set(result, (recorded.get(result) ?? 0) + 1);
  const total = [...recorded.values()].reduce((sum, count) => sum + count, 0);
  for (const name of new Set([...recorded.keys(), ...shares.keys()])) {
    const expected = recorded.get(name) ?? 0;
    const mean = shares.get(name) ?? 0;
    const deviation = Math.sqrt((mean * Math.max(total - mean, 0)) / Math.max(total, 1));
    if (Math.abs(expected - mean) <= SIGMAS * deviation + 2) continue;
    const what = `how often ${name} is chosen`;
    return { index: trace.events.length, what, event: 'end', expected, actual: mean };
  }
  return undefined;
}
