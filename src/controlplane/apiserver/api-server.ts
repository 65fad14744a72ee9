import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Histogram } from 'prom-client';
import { isJsonObject } from '../../api/json.ts';
import { apiError } from '../../api/status-errors.ts';
import type { ApiError } from '../../api/api-error.ts';
import type { Clock } from '../../base/clock.ts';
import { errorCode, errorMessage, PodwireError } from '../../base/errors.ts';
import { formatHostPort } from '../../base/ip.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { ApiHandler } from './api-handler.ts';
import { type Credentials, sameToken } from './credentials.ts';
import type { ApiRequest, ApiResponse } from './http-messages.ts';

/** --max-resource-bytes of the real API server. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** How slow a client may be before it is cut off. */
export interface Patience {
  /** To send a request's headers. */
  readonly headersMs: number;
  /** To send a whole request. */
  readonly requestMs: number;
  /** To read something, while there is something to read. */
  readonly stalledReaderMs: number;
}

const DEFAULT_PATIENCE: Patience = {
  headersMs: 10_000,
  requestMs: 60_000,
  stalledReaderMs: 30_000,
};

export interface ListenAddress {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface ApiServerOptions {
  readonly handler: ApiHandler;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly secure: ListenAddress;
  readonly credentials: Credentials;
  /** Host names, besides the listening addresses, that requests may be sent to. */
  readonly hostNames: readonly string[];
  /** Plain HTTP without a token; on a loopback address only. */
  readonly insecure?: ListenAddress | undefined;
  readonly patience?: Patience | undefined;
}

/** The sockets of the API server: TLS, tokens, limits. Owns them; what is asked goes to the handler. */
export class ApiServer implements Resource {
  /** `https://127.0.0.1:6443`. */
  readonly url: string;
  readonly insecureUrl: string | undefined;
  readonly #lifetime: Lifetime;

  private constructor(lifetime: Lifetime, url: string, insecureUrl: string | undefined) {
    this.#lifetime = lifetime;
    this.url = url;
    this.insecureUrl = insecureUrl;
  }

  /** Throws a PodwireError (`listen-failed`) that says which address cannot be had. */
  static async start(options: ApiServerOptions): Promise<ApiServer> {
    if (options.insecure !== undefined && !isLoopback(options.insecure.host))
      throw new PodwireError(
        'listen-failed',
        `plain HTTP is for loopback addresses only, not ${options.insecure.host}`,
      );
    const lifetime = new Lifetime('api server');
    try {
      const front = new Front(options, lifetime.signal);
      const { serverKey, serverCertificate } = options.credentials;
      const limits = timeouts(options.patience ?? DEFAULT_PATIENCE);
      const secure = createHttpsServer(
        { key: serverKey, cert: serverCertificate, minVersion: 'TLSv1.2', ...limits },
        (request, response) => front.accept(request, response, 'token'),
      );
      const port = await listen(secure, options.secure, lifetime);
      const url = `https://${formatHostPort(options.secure.host, port)}`;
      let insecureUrl: string | undefined;
      if (options.insecure !== undefined) {
        const plain = createHttpServer(limits, (request, response) =>
          front.accept(request, response, 'open'),
        );
        const plainPort = await listen(plain, options.insecure, lifetime);
        insecureUrl = `http://${formatHostPort(options.insecure.host, plainPort)}`;
      }
      return new ApiServer(lifetime, url, insecureUrl);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

/** Node looks for overdue requests every so often, by default only twice a minute. */
function timeouts({ headersMs, requestMs }: Patience): ServerOptions {
  return {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.ceil(headersMs / 4),
    keepAliveTimeout: 90_000,
  };
}

async function listen(server: Server, address: ListenAddress, lifetime: Lifetime): Promise<number> {
  try {
    server.listen({ host: address.host, port: address.port });
    await once(server, 'listening');
  } catch (error) {
    throw new PodwireError(
      'listen-failed',
      `the API server cannot listen on ${formatHostPort(address.host, address.port)}: ${describeListenError(error)}`,
      { cause: error },
    );
  }
  lifetime.defer(async () => {
    // Watches never end by themselves; their signal has told them, the sockets follow.
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    server.closeAllConnections();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program listens there; stop it or choose another port (--api-listen, --insecure-port)',
  EACCES: 'ports below 1024 need privileges; choose a higher one',
  EADDRNOTAVAIL: 'this machine does not have that address',
};

function describeListenError(error: unknown): string {
  return LISTEN_ERRORS[errorCode(error) ?? ''] ?? errorMessage(error);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** One request at a time, from the socket to the handler and back. */
class Front {
  readonly #options: ApiServerOptions;
  readonly #ending: AbortSignal;
  readonly #requests: Counter<'verb' | 'code'>;
  readonly #duration: Histogram<'verb'>;
  readonly #watches: Gauge;

  constructor(options: ApiServerOptions, ending: AbortSignal) {
    this.#options = options;
    this.#ending = ending;
    const registers = [options.metrics];
    this.#requests = new Counter({
      name: 'apiserver_request_total',
      help: 'Requests to the API server by verb and HTTP status.',
      labelNames: ['verb', 'code'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'How long requests took, watches and logs aside.',
      labelNames: ['verb'],
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
      registers,
    });
    this.#watches = new Gauge({
      name: 'apiserver_longrunning_requests',
      help: 'Open watches, logs and proxied requests.',
      registers,
    });
  }

  accept(request: IncomingMessage, response: ServerResponse, access: 'token' | 'open'): void {
    this.#serve(request, response, access).catch((error: unknown) => {
      // The client went away in the middle, or its socket broke.
      this.#options.logger.debug({ error: errorMessage(error) }, 'request broken off');
      response.destroy();
    });
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    access: 'token' | 'open',
  ): Promise<void> {
    const started = this.#options.clock.now();
    const refusal = this.#refusal(request, access);
    const controller = new AbortController();
    const stop = (): void => controller.abort();
    response.once('close', stop);
    this.#ending.addEventListener('abort', stop);
    try {
      const answer: ApiResponse =
        refusal === undefined
          ? await this.#options.handler(apiRequest(request, controller.signal))
          : { kind: 'json', code: refusal.status.code ?? 500, body: refusal.status };
      const verb = request.method ?? '';
      this.#requests.inc({ verb, code: String(answer.code) });
      if (answer.kind === 'json' || answer.kind === 'raw') {
        writeWhole(response, answer);
        this.#duration.observe({ verb }, (this.#options.clock.now() - started) / 1000);
      } else await this.#writeStream(response, answer);
    } finally {
      response.off('close', stop);
      this.#ending.removeEventListener('abort', stop);
    }
  }

  /** Who may not even ask. A foreign Host header is a browser tricked by DNS rebinding. */
  #refusal(request: IncomingMessage, access: 'token' | 'open'): ApiError | undefined {
    if (!this.#isOurHost(request))
      return apiError(
        403,
        'Forbidden',
        `the Host header ${JSON.stringify(request.headers.host ?? '')} is not a name of this server`,
      );
    if (access === 'open') return undefined;
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    return sameToken(given, this.#options.credentials.token)
      ? undefined
      : apiError(401, 'Unauthorized', 'Unauthorized');
  }

  #isOurHost(request: IncomingMessage): boolean {
    const { host = '' } = request.headers;
    const name = host
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase();
    return (
      name === request.socket.localAddress ||
      name === this.#options.secure.host ||
      name === this.#options.insecure?.host ||
      this.#options.hostNames.includes(name)
    );
  }

  async #writeStream(
    response: ServerResponse,
    answer: Extract<ApiResponse, { kind: 'stream' | 'proxied' }>,
  ): Promise<void> {
    const headers =
      answer.kind === 'proxied'
        ? answer.headers
        : { 'Content-Type': answer.contentType, ...warningHeaders(answer.warnings) };
    response.writeHead(answer.code, headers);
    response.flushHeaders();
    this.#watches.inc();
    try {
      for await (const chunk of answer.chunks) {
        if (response.destroyed) return;
        if (!response.write(chunk) && !(await this.#drained(response))) return;
      }
      response.end();
    } catch (error) {
      this.#options.logger.debug({ error: errorMessage(error) }, 'stream broken off');
      response.destroy();
    } finally {
      this.#watches.dec();
    }
  }

  /** False when the client is gone or reads nothing: then its connection has been cut. */
  #drained(response: ServerResponse): Promise<boolean> {
    const { stalledReaderMs } = this.#options.patience ?? DEFAULT_PATIENCE;
    return new Promise((resolve) => {
      const finish = (ok: boolean): void => {
        timer.cancel();
        response.off('drain', onDrain);
        response.off('close', onClose);
        resolve(ok);
      };
      const onDrain = (): void => finish(true);
      const onClose = (): void => finish(false);
      const timer = this.#options.clock.setTimer(stalledReaderMs, () => {
        response.destroy();
        finish(false);
      });
      response.once('drain', onDrain);
      response.once('close', onClose);
      if (response.destroyed) finish(false);
    });
  }
}

function apiRequest(request: IncomingMessage, signal: AbortSignal): ApiRequest {
  const url = request.url ?? '/';
  const at = url.indexOf('?');
  let body: Promise<Buffer> | undefined;
  return {
    method: request.method ?? 'GET',
    path: at === -1 ? url : url.slice(0, at),
    query: new URLSearchParams(at === -1 ? '' : url.slice(at + 1)),
    headers: request.headers,
    body: () => (body ??= readBody(request)),
    signal,
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES)
      throw apiError(
        413,
        'RequestEntityTooLarge',
        `the request body is larger than ${MAX_BODY_BYTES} bytes`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function writeWhole(
  response: ServerResponse,
  answer: Extract<ApiResponse, { kind: 'json' | 'raw' }>,
): void {
  if (answer.kind === 'raw') {
    response.writeHead(answer.code, { 'Content-Type': answer.contentType });
    response.end(answer.body);
    return;
  }
  const { contentType = 'application/json', warnings = [] } = answer;
  const headers: Record<string, string | string[]> = {
    'Content-Type': contentType,
    ...warningHeaders(warnings),
  };
  if (answer.code === 401) headers['WWW-Authenticate'] = 'Bearer realm="podwire"';
  const retryAfter = retryAfterSeconds(answer.body);
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter);
  if (answer.code === 413) headers['Connection'] = 'close';
  response.writeHead(answer.code, headers);
  response.end(`${JSON.stringify(answer.body)}\n`);
}

function retryAfterSeconds(body: unknown): number | undefined {
  const details = isJsonObject(body) && isJsonObject(body['details']) ? body['details'] : {};
  const seconds = details['retryAfterSeconds'];
  return typeof seconds === 'number' ? seconds : undefined;
}

function warningHeaders(warnings: readonly string[] = []): Record<string, string[]> {
  return warnings.length === 0 ? {} : { Warning: warnings.map(warningHeader) };
}

/** RFC 7234 5.5, as apimachinery writes it. Control characters and what is not Latin-1 are left out. */
function warningHeader(text: string): string {
  const clean = text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, (char) => `\\${char}`);
  return `299 - "${clean}"`;
}
