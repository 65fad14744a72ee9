import { errorMessage } from '../../base/errors.ts';
import type { Fields } from './fields.ts';
import { DURATION, MAX_DURATION_MS, MAX_SOURCES, MOMENT, readDistribution } from './parse-parts.ts';
import type { Arrivals } from './scenario.ts';
import { parseTrace } from './trace-file.ts';

type ReadBeside = (path: string) => string;

const RATE = { above: 0, max: 10_000_000 } as const;

export function readArrivals(fields: Fields, readBeside: ReadBeside): Arrivals {
  const kind = fields.oneOf('kind', ['poisson', 'constant', 'bursty', 'trace', 'closed']);
  const arrivals = arrivalsOf(kind, fields, readBeside);
  fields.noMore();
  return arrivals;
}

function arrivalsOf(kind: Arrivals['kind'], fields: Fields, readBeside: ReadBeside): Arrivals {
  switch (kind) {
    case 'poisson':
    case 'constant':
      return { kind, ratePerSecond: fields.number('ratePerSecond', RATE) };
    case 'bursty': {
      const periodMs = fields.number('periodMs', DURATION);
      return {
        kind,
        ratePerSecond: fields.number('ratePerSecond', { min: 0, max: RATE.max }),
        burstRatePerSecond: fields.number('burstRatePerSecond', RATE),
        periodMs,
        burstMs: fields.number('burstMs', { above: 0, max: periodMs }),
      };
    }
    case 'trace':
      return readTrace(fields, readBeside);
    case 'closed': {
      const think = fields.optionalObject('think');
      return {
        kind,
        clients: fields.number('clients', { min: 1, max: MAX_SOURCES, integer: true }),
        ...(think === undefined ? {} : { think: readDistribution(think) }),
      };
    }
  }
}

function readTrace(fields: Fields, readBeside: ReadBeside): Arrivals {
  const startsMs = fields.has('file')
    ? startsInFile(fields, readBeside)
    : fields.numbers('startsMs', MOMENT);
  if (fields.has('file') && fields.has('startsMs'))
    fields.problem('startsMs', 'the trace is in the file: give one of the two');
  else if (startsMs.length === 0)
    fields.problem('startsMs', 'must hold at least one start, or give a file');
  const late = startsMs.findIndex((start, index) => start < (startsMs[index - 1] ?? 0));
  if (late >= 0) fields.problem(`startsMs[${late}]`, 'is before the one before it');
  if (!fields.has('periodMs')) return { kind: 'trace', startsMs };
  const periodMs = fields.number('periodMs', { above: startsMs.at(-1) ?? 0, max: MAX_DURATION_MS });
  return { kind: 'trace', startsMs, periodMs };
}

/** Something harmless and not empty when the file is no trace: one problem is enough. */
function startsInFile(fields: Fields, readBeside: ReadBeside): readonly number[] {
  const path = fields.text('file');
  try {
    return parseTrace(readBeside(path));
  } catch (error) {
    fields.problem('file', errorMessage(error));
    return [0];
  }
}
