import type { Duplex } from 'node:stream';
import { resetStream } from '../base/reset-stream.ts';

/**
 * Makes one connection of two: what ends one direction ends it on the other side, what resets one resets the other.
 * Takes both streams; calls `done` once, when both are closed.
 */
export function splice(a: Duplex, b: Duplex, done: () => void): void {
  let open = 2;
  const join = (from: Duplex, to: Duplex): void => {
    from.pipe(to);
    from.on('error', () => resetStream(to));
    from.on('close', () => {
      // Not after an orderly end, which pipe has passed on.
      if (!from.readableEnded) resetStream(to);
      open -= 1;
      if (open === 0) done();
    });
  };
  join(a, b);
  join(b, a);
}
