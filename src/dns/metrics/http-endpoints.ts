import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Resource } from '../../base/lifetime.ts';
import { bindError } from '../server/bind-error.ts';

/** Reply of an endpoint: status and body. */
export interface HttpReply {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

export type HttpEndpoint = () => HttpReply | Promise<HttpReply>;

interface OpenServer {
  readonly server: Server;
  /** Several plugin instances may serve one path, during a reload the old and the new one: last wins. */
  readonly endpoints: Map<string, HttpEndpoint[]>;
  readonly port: number;
}

/**
 * The little HTTP servers of health, ready and prometheus, one for each address, shared by all blocks and
 * across reloads: an address is closed when its last endpoint goes.
 */
export class HttpEndpoints implements Resource {
  readonly #hostAddress: string | undefined;
  readonly #servers = new Map<string, Promise<OpenServer>>();

  /** `hostAddress` stands in for "every address" and "localhost", as inside a pod's own network. */
  constructor(hostAddress: string | undefined) {
    this.#hostAddress = hostAddress;
  }

  /** Opens the address if needed. The result has the port it listens on, and takes the endpoint away. */
  async serve(
    hostPort: string,
    path: string,
    endpoint: HttpEndpoint,
  ): Promise<{ readonly port: number; stop(): Promise<void> }> {
    const opening = this.#servers.get(hostPort) ?? this.#open(hostPort);
    this.#servers.set(hostPort, opening);
    const open = await opening.catch((error: unknown) => {
      this.#servers.delete(hostPort);
      throw error;
    });
    open.endpoints.set(path, [...(open.endpoints.get(path) ?? []), endpoint]);
    return { port: open.port, stop: () => this.#remove(hostPort, open, path, endpoint) };
  }

  /** The host part of a URL that reaches this address from the same machine. */
  hostFor(hostPort: string): string {
    const { host } = this.#resolve(hostPort);
    if (host === '0.0.0.0') return '127.0.0.1';
    return host.includes(':') ? `[${host}]` : host;
  }

  async close(): Promise<void> {
    const servers = [...this.#servers.values()];
    this.#servers.clear();
    for (const opening of servers) await closeServer((await opening).server);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #remove(
    hostPort: string,
    open: OpenServer,
    path: string,
    endpoint: HttpEndpoint,
  ): Promise<void> {
    const rest = (open.endpoints.get(path) ?? []).filter((candidate) => candidate !== endpoint);
    if (rest.length > 0) open.endpoints.set(path, rest);
    else open.endpoints.delete(path);
    if (open.endpoints.size > 0 || !this.#servers.has(hostPort)) return;
    this.#servers.delete(hostPort);
    await closeServer(open.server);
  }

  async #open(hostPort: string): Promise<OpenServer> {
    const { host, port } = this.#resolve(hostPort);
    const endpoints = new Map<string, HttpEndpoint[]>();
    const server = createServer((request, response) => void respond(endpoints, request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, resolve);
    }).catch((error: unknown) => {
      throw bindError(error, 'TCP', host, port);
    });
    server.removeAllListeners('error');
    const address = server.address();
    return {
      server,
      endpoints,
      port: typeof address === 'object' && address !== null ? address.port : port,
    };
  }

  #resolve(hostPort: string): { host: string; port: number } {
    const [, bracketed, plain = '', port = '0'] =
      /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(hostPort) ?? [];
    const host = bracketed ?? plain;
    const local = host === '' || host === 'localhost' || host === '0.0.0.0';
    return {
      host: local ? (this.#hostAddress ?? (host === 'localhost' ? '127.0.0.1' : '0.0.0.0')) : host,
      port: Number(port),
    };
  }
}

async function respond(
  endpoints: ReadonlyMap<string, readonly HttpEndpoint[]>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const endpoint = endpoints.get(path)?.at(-1);
  const reply: HttpReply =
    endpoint === undefined ? { status: 404, body: '404 page not found\n' } : await endpoint();
  response.writeHead(reply.status, {
    'content-type': reply.contentType ?? 'text/plain; charset=utf-8',
  });
  response.end(reply.body);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
