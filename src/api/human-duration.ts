const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;

/** An age as kubectl prints it (apimachinery/pkg/util/duration.HumanDuration). */
export function humanDuration(durationMs: number): string {
  if (durationMs < -SECOND_MS) return '<invalid>';
  if (durationMs < 0) return '0s';
  if (durationMs < 2 * MINUTE_MS) return `${Math.floor(durationMs / SECOND_MS)}s`;
  if (durationMs < 10 * MINUTE_MS) return twoUnits(durationMs, MINUTE_MS, 'm', SECOND_MS, 's');
  if (durationMs < 3 * HOUR_MS) return `${Math.floor(durationMs / MINUTE_MS)}m`;
  if (durationMs < 8 * HOUR_MS) return twoUnits(durationMs, HOUR_MS, 'h', MINUTE_MS, 'm');
  if (durationMs < 2 * DAY_MS) return `${Math.floor(durationMs / HOUR_MS)}h`;
  if (durationMs < 8 * DAY_MS) return twoUnits(durationMs, DAY_MS, 'd', HOUR_MS, 'h');
  if (durationMs < 2 * YEAR_MS) return `${Math.floor(durationMs / DAY_MS)}d`;
  if (durationMs < 8 * YEAR_MS) return twoUnits(durationMs, YEAR_MS, 'y', DAY_MS, 'd');
  return `${Math.floor(durationMs / YEAR_MS)}y`;
}

/** The age of an RFC 3339 timestamp, `<unknown>` where there is none. */
export function age(timestamp: string | null | undefined, nowMs: number): string {
  if (timestamp === undefined || timestamp === null) return '<unknown>';
  return humanDuration(nowMs - Date.parse(timestamp));
}

function twoUnits(
  durationMs: number,
  bigMs: number,
  bigName: string,
  smallMs: number,
  smallName: string,
): string {
  const big = Math.floor(durationMs / bigMs);
  const small = Math.floor((durationMs % bigMs) / smallMs);
  return small === 0 ? `${big}${bigName}` : `${big}${bigName}${small}${smallName}`;
}
