/** The kubelet's crash-loop back-off: 10 s doubled up to 5 min, forgotten after 10 min of running. */
export const CRASH_LOOP = {
  initialMs: 10_000,
  maxMs: 300_000,
  resetAfterMs: 600_000,
} as const;

/** How long to wait before the `restart`-th restart in a row (the first is 0: at once). */
export function restartDelayMs(restart: number): number {
  if (restart === 0) return 0;
  return Math.min(CRASH_LOOP.initialMs * 2 ** (restart - 1), CRASH_LOOP.maxMs);
}

/** A duration as Go prints it, in whole seconds: `10s`, `1m20s`, `5m0s`. */
export function goSeconds(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds % 60}s`;
}
