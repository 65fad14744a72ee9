import type { Status } from './types/meta.ts';

/** A refused API call. `status` is what the server said; match on its `reason` or `code`. */
export class ApiError extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? status.reason ?? 'API call failed');
    this.name = 'ApiError';
    this.status = status;
  }

  get reason(): string | undefined {
    return this.status.reason;
  }
}
