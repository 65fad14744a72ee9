import { Duplex } from 'node:stream';
import { PodwireError } from '../base/errors.ts';

/** A connection that could not begin: says so by `error`, as one of node:net would, and never connects. */
export function failedStream(code: string, message: string): Duplex {
  const stream = new Duplex({ read: () => undefined, write: () => undefined });
  stream.destroy(new PodwireError(code, message));
  return Object.assign(stream, { connecting: true });
}
