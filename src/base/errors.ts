/**
 * An operational failure: something the world did, that a caller may want to tell apart. `code` is
 * stable and documented where it is thrown; nobody matches on the message.
 */
export class PodwireError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PodwireError';
    this.code = code;
  }
}

/** The `code` of a Node or podwire error, else undefined. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** One line for people, whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
