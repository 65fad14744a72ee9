import { getSystemErrorName } from 'node:util';
import { PodwireError } from '../../base/errors.ts';

/** An error from a negated errno, as Node words it: `connect ECONNREFUSED`. */
export function socketError(status: number, call: string): PodwireError {
  const code = systemErrorCode(status);
  return new PodwireError(code, `${call} ${code}`);
}

export function systemErrorCode(status: number): string {
  try {
    return getSystemErrorName(status);
  } catch {
    return `ERRNO${-status}`;
  }
}
