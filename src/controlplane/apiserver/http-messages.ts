import type { IncomingHttpHeaders } from 'node:http';

/** One request, apart from the socket it came on. */
export interface ApiRequest {
  readonly method: string;
  /** Without the query, still escaped. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The whole body, read once; throws 413. */
  body(): Promise<Buffer>;
  /** Aborts when the client is gone or the server ends. */
  readonly signal: AbortSignal;
}

export type ApiResponse =
  | {
      readonly kind: 'json';
      readonly code: number;
      readonly body: unknown;
      readonly contentType?: string;
      /** Texts of `Warning: 299 - "…"` headers. */
      readonly warnings?: readonly string[];
    }
  | {
      readonly kind: 'raw';
      readonly code: number;
      readonly contentType: string;
      readonly body: string | Buffer;
    }
  /** Written piece by piece, no faster than the client reads. */
  | {
      readonly kind: 'stream';
      readonly code: number;
      readonly contentType: string;
      readonly warnings?: readonly string[];
      readonly chunks: AsyncIterable<string | Buffer>;
    }
  /** The answer of something else, passed on. */
  | {
      readonly kind: 'proxied';
      readonly code: number;
      readonly headers: Readonly<Record<string, string | string[]>>;
      readonly chunks: AsyncIterable<string | Buffer>;
    };

/** Adds a `Warning` header; answers that are passed on keep their own. */
export function withWarning(response: ApiResponse, text: string): ApiResponse {
  if (response.kind !== 'json' && response.kind !== 'stream') return response;
  return { ...response, warnings: [text, ...(response.warnings ?? [])] };
}

export function json(code: number, body: unknown, warnings?: readonly string[]): ApiResponse {
  return { kind: 'json', code, body, ...(warnings === undefined ? {} : { warnings }) };
}
