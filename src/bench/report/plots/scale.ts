import { formatQuantity } from '../metric-info.ts';

/** From data to pixels, with the ticks to print. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

const TICK_STEPS = [1, 2, 5] as const;
/** So many pixels a decade takes to be divided. */
const LEAST_DECADE = 60;

/** Decades with 1, 2 and 5 while there is room for them. */
export function logScale(low: number, high: number, from: number, to: number): Scale {
  const bottom = Math.log10(low);
  const span = Math.max(Math.log10(high) - bottom, 1e-9);
  const at = (value: number): number =>
    from + ((Math.log10(Math.max(value, low)) - bottom) / span) * (to - from);
  const steps = Math.abs(to - from) / span < LEAST_DECADE ? [1] : TICK_STEPS;
  const ticks = [];
  for (let exponent = Math.floor(bottom); exponent <= Math.ceil(Math.log10(high)); exponent += 1)
    for (const step of steps) {
      const value = step * 10 ** exponent;
      if (value >= low * 0.999 && value <= high * 1.001)
        ticks.push({ value, label: formatTick(value) });
    }
  return { at, ticks };
}

/** Round steps from `low`, about `wanted` of them. */
export function linearScale(
  low: number,
  high: number,
  from: number,
  to: number,
  wanted = 5,
): Scale {
  const span = Math.max(high - low, 1e-9);
  const step = niceStep(span / wanted);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step)
    ticks.push({ value, label: formatTick(value) });
  return { at: (value) => from + ((value - low) / span) * (to - from), ticks };
}

function niceStep(rough: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = TICK_STEPS.find((candidate) => candidate * magnitude >= rough) ?? 10;
  return step * magnitude;
}

function formatTick(value: number): string {
  if (value === 0) return '0';
  return value >= 1 ? Number(value.toPrecision(3)).toLocaleString('en-US') : formatQuantity(value);
}
