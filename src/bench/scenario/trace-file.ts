import { PodwireError } from '../../base/errors.ts';
import { MAX_DURATION_MS } from './parse-parts.ts';

const MAX_STARTS = 1_000_000;

/**
 * Starts of connections out of a trace: a line each, in milliseconds since the trace began, ascending. What
 * follows a comma is ignored, as are empty lines, lines that begin with `#`, and a heading before the first start.
 * Throws PodwireError `ERR_SCENARIO` with the number of the line.
 */
export function parseTrace(text: string): number[] {
  const startsMs: number[] = [];
  let headed = false;
  for (const [index, line] of text.split('\n').entries()) {
    const [first = ''] = line.split(',');
    const field = first.trim();
    if (field === '' || field.startsWith('#')) continue;
    const startMs = Number(field);
    if (Number.isNaN(startMs) && startsMs.length === 0 && !headed) {
      headed = true;
      continue;
    }
    const complaint = complaintAbout(field, startMs, startsMs);
    if (complaint !== undefined)
      throw new PodwireError('ERR_SCENARIO', `line ${index + 1}: ${complaint}`);
    startsMs.push(startMs);
  }
  if (startsMs.length === 0) throw new PodwireError('ERR_SCENARIO', 'holds no start');
  return startsMs;
}

function complaintAbout(
  field: string,
  startMs: number,
  before: readonly number[],
): string | undefined {
  if (!(startMs >= 0 && startMs <= MAX_DURATION_MS))
    return `${field} is no time in milliseconds from 0 to ${MAX_DURATION_MS}`;
  if (startMs < (before.at(-1) ?? 0)) return `${field} is before the one before it`;
  return before.length === MAX_STARTS ? `more than ${MAX_STARTS} starts` : undefined;
}
