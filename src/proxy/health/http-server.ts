import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Resource } from '../../base/lifetime.ts';
import type { SocketAddress } from '../flow.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpServer extends Resource {
  readonly local: SocketAddress;
}

/** Rejects with the system's error when the address cannot be had. Answers GET and HEAD only. */
export async function serveHttp(
  local: SocketAddress,
  answer: (path: string) => HttpAnswer | Promise<HttpAnswer>,
): Promise<HttpServer> {
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const readOnly = request.method === 'GET' || request.method === 'HEAD';
    const { status, contentType, headers, body } = readOnly ? await answer(path) : NOT_ALLOWED;
    response.writeHead(status, {
      'Content-Type': contentType,
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    });
    response.end(body);
  };
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: local.address, port: local.port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : local.port;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { local: { address: local.address, port }, close, [Symbol.asyncDispose]: close };
}

export function text(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

const NOT_ALLOWED = text(405, 'method not allowed\n');

export const NOT_FOUND: HttpAnswer = text(404, '404 page not found\n');
