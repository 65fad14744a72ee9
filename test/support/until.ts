/** A guard against hanging only: no test depends on how fast the machine is. */
const LIMIT_MS = 60_000;

/** Waits, one event-loop turn at a time, until `condition` holds; throws when that takes a minute. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('the condition did not come true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
