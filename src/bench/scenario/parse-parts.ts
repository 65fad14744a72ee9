import type { Fields, NumberRule } from './fields.ts';
import type { Distribution } from './scenario.ts';

export const MAX_SOURCES = 1_000_000;
/** A day. */
export const MAX_DURATION_MS = 86_400_000;

export const DURATION: NumberRule = { above: 0, max: MAX_DURATION_MS };
export const MOMENT: NumberRule = { min: 0, max: MAX_DURATION_MS };

export function readDistribution(fields: Fields): Distribution {
  const kind = fields.oneOf('kind', ['constant', 'exponential', 'lognormal', 'pareto', 'bimodal']);
  const distribution = distributionOf(kind, fields);
  fields.noMore();
  return distribution;
}

function distributionOf(kind: Distribution['kind'], fields: Fields): Distribution {
  switch (kind) {
    case 'constant':
    case 'exponential':
      return { kind, meanMs: fields.number('meanMs', DURATION) };
    case 'lognormal':
      return {
        kind,
        meanMs: fields.number('meanMs', DURATION),
        sigma: fields.number('sigma', { above: 0, max: 5 }),
      };
    case 'pareto':
      return {
        kind,
        meanMs: fields.number('meanMs', DURATION),
        shape: fields.number('shape', { above: 1, max: 100 }),
      };
    case 'bimodal':
      return {
        kind,
        fastMs: fields.number('fastMs', DURATION),
        slowMs: fields.number('slowMs', DURATION),
        slowFraction: fields.number('slowFraction', { min: 0, max: 1 }),
      };
  }
}
