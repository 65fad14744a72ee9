import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { seededRandom } from '../../../src/base/random.ts';
import {
  type ApiHandler,
  createApiHandler,
} from '../../../src/controlplane/apiserver/api-handler.ts';
import type { ApiResponse } from '../../../src/controlplane/apiserver/http-messages.ts';
import type { ControlPlane } from '../../../src/controlplane/control-plane.ts';
import { settle, startTestPlane } from '../support.ts';

export interface Answer {
  readonly code: number;
  // What tests look into is JSON of many shapes.
  readonly body: Json;
  readonly warnings: readonly string[];
}

export type Json = { readonly [key: string]: Json } & {
  readonly [Symbol.iterator]: () => Iterator<Json>;
  readonly length: number;
};

/** A member that must be text. */
export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`${JSON.stringify(value)} is no text`);
  return value;
}

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: Buffer | string;
  readonly type?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  readonly headers?: Record<string, string>;
}

/** The API handler over a control plane of its own, without sockets. */
export class ApiHarness implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly handler: ApiHandler;

  private constructor(plane: ControlPlane, handler: ApiHandler) {
    this.plane = plane;
    this.handler = handler;
  }

  static async start(): Promise<ApiHarness> {
    const { plane, clock } = await startTestPlane();
    await settle(clock);
    const handler = createApiHandler({
      registry: plane.registry,
      clock,
      random: seededRandom('api'),
      logger: silentLogger,
      metrics: createMetrics(),
      address: () => '127.0.0.1:6443',
    });
    return new ApiHarness(plane, handler);
  }

  async call(method: string, url: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.respond(method, url, options);
    if (response.kind !== 'json') throw new Error(`${url} answered with ${response.kind}`);
    // As a client would see it.
    const body = JSON.parse(JSON.stringify(response.body)) as Json;
    return { code: response.code, body, warnings: response.warnings ?? [] };
  }

  respond(method: string, url: string, options: CallOptions = {}): Promise<ApiResponse> {
    const { pathname, searchParams } = new URL(url, 'https://127.0.0.1');
    const payload =
      options.raw === undefined
        ? Buffer.from(options.body === undefined ? '' : JSON.stringify(options.body))
        : Buffer.from(options.raw);
    return this.handler({
      method,
      path: pathname,
      query: searchParams,
      headers: {
        'user-agent': 'test/1.0',
        accept: options.accept ?? 'application/json',
        ...(options.type === undefined ? {} : { 'content-type': options.type }),
        ...options.headers,
      },
      body: () => Promise.resolve(payload),
      signal: options.signal ?? new AbortController().signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane[Symbol.asyncDispose]();
  }
}
