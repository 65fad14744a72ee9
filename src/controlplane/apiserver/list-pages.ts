import { badRequest, expired } from '../../api/status-errors.ts';
import type { ApiError } from '../../api/api-error.ts';
import { isJsonObject } from '../../api/json.ts';
import type { KubeObject } from '../../api/types/meta.ts';

/** Lists that are being read page by page; the oldest is dropped for a new one. */
const MAX_SNAPSHOTS = 64;

interface Token {
  readonly id: number;
  readonly revision: number;
  readonly offset: number;
}

export interface Page {
  readonly objects: readonly KubeObject[];
  readonly revision: number;
  readonly continue: string | undefined;
  readonly remaining: number;
}

/**
 * Lists in pages that belong together: all pages of one list show the state of its first. A snapshot holds
 * references only. A token whose snapshot is gone is answered with 410, as etcd compaction would.
 */
export class ListPages {
  readonly #snapshots = new Map<number, readonly KubeObject[]>();
  #nextId = 1;

  first(objects: readonly KubeObject[], revision: number, limit: number): Page {
    if (limit === 0 || objects.length <= limit)
      return { objects, revision, continue: undefined, remaining: 0 };
    const id = this.#nextId;
    this.#nextId += 1;
    this.#snapshots.set(id, objects);
    const [oldest] = this.#snapshots.keys();
    if (this.#snapshots.size > MAX_SNAPSHOTS && oldest !== undefined)
      this.#snapshots.delete(oldest);
    return this.#page(objects, { id, revision, offset: 0 }, limit);
  }

  next(text: string, limit: number): Page {
    const token = parseToken(text);
    const objects = this.#snapshots.get(token.id);
    if (objects === undefined || token.offset > objects.length) throw tokenExpired();
    return this.#page(objects, token, limit === 0 ? objects.length : limit);
  }

  #page(objects: readonly KubeObject[], token: Token, limit: number): Page {
    const end = token.offset + limit;
    const remaining = Math.max(0, objects.length - end);
    if (remaining === 0) this.#snapshots.delete(token.id);
    return {
      objects: objects.slice(token.offset, end),
      revision: token.revision,
      continue: remaining === 0 ? undefined : formatToken({ ...token, offset: end }),
      remaining,
    };
  }
}

function tokenExpired(): ApiError {
  return expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
  );
}

function formatToken(token: Token): string {
  return Buffer.from(JSON.stringify({ v: 'podwire/v1', ...token })).toString('base64url');
}

function parseToken(text: string): Token {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (isJsonObject(value)) {
      const { id, revision, offset } = value;
      if (isCount(id) && isCount(revision) && isCount(offset)) return { id, revision, offset };
    }
  } catch {
    // Falls through to the refusal.
  }
  throw badRequest('continue key is not valid: illegal continue token');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
