import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { NodeContext } from '../node-context.ts';

/** What every mode is made of. */
export interface ModeOptions {
  readonly context: NodeContext;
  readonly clock: Clock;
  readonly random: Random;
}
