import type { Random } from '../../base/random.ts';
import type { Arrivals } from '../scenario/scenario.ts';
import { exponential } from './sampler.ts';

/** Each call gives the next start in milliseconds since the run began, ascending; Infinity: no more. */
export type ArrivalStream = () => number;

/** Open-loop starts. A closed loop has none: its clients start themselves. */
export function arrivalStream(arrivals: Arrivals, random: Random): ArrivalStream {
  switch (arrivals.kind) {
    case 'poisson': {
      const gapMs = 1000 / arrivals.ratePerSecond;
      let time = 0;
      return () => (time += gapMs * exponential(random));
    }
    case 'constant': {
      const { ratePerSecond } = arrivals;
      let count = 0;
      // Multiplied, not summed, so that a million gaps do not drift.
      return () => (count++ * 1000) / ratePerSecond;
    }
    case 'bursty':
      return burstyStream(arrivals, random);
    case 'trace':
      return traceStream(arrivals.startsMs, arrivals.periodMs);
    case 'closed':
      return () => Infinity;
  }
}

/** A Poisson process by thinning: drawn at the highest rate, kept in proportion to the rate of the moment. */
function burstyStream(
  arrivals: Extract<Arrivals, { kind: 'bursty' }>,
  random: Random,
): ArrivalStream {
  const { ratePerSecond, burstRatePerSecond, periodMs, burstMs } = arrivals;
  const highest = Math.max(ratePerSecond, burstRatePerSecond);
  let time = 0;
  return () => {
    for (;;) {
      time += (1000 / highest) * exponential(random);
      const rate = time % periodMs < burstMs ? burstRatePerSecond : ratePerSecond;
      if (random.float() * highest < rate) return time;
    }
  };
}

function traceStream(startsMs: readonly number[], periodMs: number | undefined): ArrivalStream {
  let index = 0;
  let offsetMs = 0;
  return () => {
    if (index === startsMs.length) {
      if (periodMs === undefined) return Infinity;
      index = 0;
      offsetMs += periodMs;
    }
    return offsetMs + (startsMs[index++] ?? Infinity);
  };
}
