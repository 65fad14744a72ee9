import { isDisturbed, type Slip } from '../live/slip.ts';

interface Attempt {
  readonly slip: Slip;
}

/**
 * Tries until the machine was quiet, `redos` times more at most, and keeps the quietest attempt: chosen by what
 * disturbed it, never by what it measured. `attempt` is told whether it is a further one.
 */
export async function untilQuiet<T extends Attempt>(
  attempt: (again: boolean) => Promise<T>,
  redos: number,
): Promise<{ readonly kept: T; readonly redone: number }> {
  let kept = await attempt(false);
  let redone = 0;
  while (isDisturbed(kept.slip) && redone < redos) {
    redone += 1;
    kept = quieter(kept, await attempt(true));
  }
  return { kept, redone };
}

function quieter<T extends Attempt>(one: T, other: T): T {
  if (!isDisturbed(other.slip)) return other;
  return other.slip.meanMs < one.slip.meanMs ? other : one;
}
