import { errorCode, errorMessage } from '../../base/errors.ts';
import { usageError } from './node-command.ts';

/** What DNS refuses because of what was typed. */
const REFUSALS: ReadonlySet<string> = new Set(['DNS_EXPLAIN', 'DNS_FAULT', 'DNS_SERVER']);

/** Makes a usage error of what DNS refuses. */
export async function asUsage<T>(task: () => T | Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!REFUSALS.has(errorCode(error) ?? '')) throw error;
    throw usageError(errorMessage(error));
  }
}
