const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's notation (`1h15m30.5s`) in milliseconds; undefined for anything else, and for negative durations. */
export function parseGoDurationMs(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) return undefined;
  return parts.reduce((sum, part) => sum + Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? 0), 0);
}

/** As Go prints a duration: `500ms`, `1.5s`, `1m30s`, `1h0m0s`, `0s`. */
export function formatGoDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  if (durationMs < 1) return `${rounded(durationMs * 1000)}µs`;
  if (durationMs < 1000) return `${rounded(durationMs)}ms`;
  const minutes = Math.floor(durationMs / 60_000);
  const seconds = `${rounded((durationMs % 60_000) / 1000)}s`;
  if (minutes === 0) return seconds;
  return minutes < 60
    ? `${minutes}m${seconds}`
    : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** Without the noise of binary fractions, to the nanosecond at least. */
function rounded(value: number): number {
  return Number(value.toFixed(9));
}
