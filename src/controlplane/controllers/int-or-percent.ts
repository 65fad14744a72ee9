import type { IntOrString } from '../../api/types/meta.ts';

/** A count, or a share of `total`, rounded as the field asks for (intstr.GetScaledValueFromIntOrPercent). */
export function scaledValue(
  value: IntOrString | undefined,
  total: number,
  rounding: 'up' | 'down',
): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const share = (Number.parseInt(value, 10) * total) / 100;
  return rounding === 'up' ? Math.ceil(share) : Math.floor(share);
}
