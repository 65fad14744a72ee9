/** RFC 3339 in UTC with second precision, as the Kubernetes API writes times. */
export function formatTimestamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** RFC 3339 in UTC with microseconds (of which the clock gives the first three digits). */
export function formatMicroTimestamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/Z$/, '000Z');
}
