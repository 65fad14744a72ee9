import type { Random } from '../../base/random.ts';
import type { Distribution } from '../scenario/scenario.ts';

/** Draws one duration in milliseconds. */
export type Sampler = () => number;

const UINT32_RANGE = 0x1_0000_0000;

/** Compiles a distribution to a draw, so that the hot loop meets no switch. */
export function samplerOf(distribution: Distribution, random: Random): Sampler {
  switch (distribution.kind) {
    case 'constant': {
      const { meanMs } = distribution;
      return () => meanMs;
    }
    case 'exponential': {
      const { meanMs } = distribution;
      return () => meanMs * exponential(random);
    }
    case 'lognormal':
      return lognormalSampler(distribution.meanMs, distribution.sigma, random);
    case 'pareto': {
      const { meanMs, shape } = distribution;
      const minimumMs = (meanMs * (shape - 1)) / shape;
      return () => minimumMs * Math.exp(exponential(random) / shape);
    }
    case 'bimodal': {
      const { fastMs, slowMs, slowFraction } = distribution;
      return () => (random.float() < slowFraction ? slowMs : fastMs);
    }
  }
}

/** The mean of a distribution, in milliseconds. */
export function meanMsOf(distribution: Distribution): number {
  if (distribution.kind !== 'bimodal') return distribution.meanMs;
  const { fastMs, slowMs, slowFraction } = distribution;
  return slowMs * slowFraction + fastMs * (1 - slowFraction);
}

/** Mean 1. Centred in its 2^-32 cell, so that the logarithm is of something above 0. */
export function exponential(random: Random): number {
  return -Math.log((random.uint32() + 0.5) / UINT32_RANGE);
}

/** Box–Muller; the second normal of each pair is kept for the next draw. */
function lognormalSampler(meanMs: number, sigma: number, random: Random): Sampler {
  const mu = Math.log(meanMs) - (sigma * sigma) / 2;
  let spare = Number.NaN;
  return () => {
    let normal = spare;
    if (Number.isNaN(normal)) {
      const radius = Math.sqrt(2 * exponential(random));
      const angle = 2 * Math.PI * random.float();
      normal = radius * Math.cos(angle);
      spare = radius * Math.sin(angle);
    } else spare = Number.NaN;
    return Math.exp(mu + sigma * normal);
  };
}
