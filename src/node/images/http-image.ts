import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, sleep } from '../../base/clock.ts';
import type { ContainerSpec } from '../runtime/container.ts';
import type { BuiltinImage, ImageServices, RunningImage } from './image.ts';

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * After SIGTERM a server goes on accepting, closing each connection after its answer, until nothing has come in at
 * five looks in a row: proxies learn of the termination meanwhile. Well-behaved servers (and preStop sleeps) do the
 * same. Looks, not a time: while the process stands still neither requests nor news of the termination get through.
 */
const LAME_DUCK = { lookMs: 100, quietLooks: 5, maxLooks: 50 } as const;

/** One HTTP server on the pod's address. Resolves once it listens; rejects with the bind error. */
export async function serveHttp(
  spec: ContainerSpec,
  services: ImageServices,
  port: number,
  handler: HttpHandler,
): Promise<RunningImage> {
  const state = { leaving: false, arrivals: 0 };
  const server = createServer((request, response) => {
    state.arrivals += 1;
    if (state.leaving) response.setHeader('connection', 'close');
    handler(request, response);
  });
  server.on('connection', () => {
    state.arrivals += 1;
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      { host: spec.pod.ip, port: services.bindPort(spec.pod.ip, port), backlog: 4096 },
      resolve,
    );
  });
  const { address, port: bound } = server.address() as AddressInfo;
  spec.output.write('stdout', `listening on http://${address}:${bound}\n`);
  return httpImage(server, services.clock, state);
}

function httpImage(
  server: Server,
  clock: Clock,
  state: { leaving: boolean; readonly arrivals: number },
): RunningImage {
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  const killed = new AbortController();
  let draining: Promise<void> | undefined;
  const untilQuiet = async (): Promise<void> => {
    const { lookMs, quietLooks, maxLooks } = LAME_DUCK;
    let seen = state.arrivals;
    for (let looks = 0, quiet = 0; looks < maxLooks && quiet < quietLooks; looks += 1) {
      await sleep(clock, lookMs, killed.signal);
      quiet = state.arrivals === seen ? quiet + 1 : 0;
      seen = state.arrivals;
    }
  };
  const drain = async (): Promise<void> => {
    state.leaving = true;
    await untilQuiet().catch(() => {});
    server.close();
    server.closeIdleConnections();
    await closed;
  };
  return {
    close: () => (draining ??= drain()),
    async [Symbol.asyncDispose]() {
      killed.abort();
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Starts the same image on several ports as one; none stays open when one cannot be bound. */
export async function startAll(
  starts: readonly (() => Promise<RunningImage>)[],
): Promise<RunningImage> {
  const running: RunningImage[] = [];
  try {
    for (const start of starts) running.push(await start());
  } catch (error) {
    await Promise.all(running.map((image) => image[Symbol.asyncDispose]()));
    throw error;
  }
  const exits = running.flatMap((image) => (image.exited === undefined ? [] : [image.exited]));
  return {
    ...(exits.length > 0 ? { exited: Promise.race(exits) } : {}),
    close: async () => void (await Promise.all(running.map((image) => image.close()))),
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all(running.map((image) => image[Symbol.asyncDispose]()))),
  };
}

/** Who answered, who asked and what was asked, in the manner of traefik/whoami. */
export function whoami(spec: ContainerSpec): HttpHandler {
  const { pod } = spec;
  const identity = [
    `Hostname: ${pod.name}`,
    `IP: ${pod.ip}`,
    `Pod: ${pod.namespace}/${pod.name}`,
    `Node: ${pod.nodeName}`,
    `Image: ${spec.image}`,
  ].join('\n');
  return (request, response) => {
    const { remoteAddress, remotePort } = request.socket;
    const lines = [identity, `RemoteAddr: ${remoteAddress}:${remotePort}`];
    lines.push(`${request.method} ${request.url} HTTP/${request.httpVersion}`);
    for (let index = 0; index + 1 < request.rawHeaders.length; index += 2)
      lines.push(`${request.rawHeaders[index]}: ${request.rawHeaders[index + 1]}`);
    const body = `${lines.join('\n')}\n`;
    response.writeHead(200, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'x-pod-name': pod.name,
    });
    // Whatever was uploaded is read and forgotten, so that a keep-alive connection stays usable.
    request.resume();
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

/** An image whose ports are its own, whatever the manifest declares. */
export function httpOn(...ports: number[]): BuiltinImage {
  return {
    summary: `HTTP on ${ports.join(', ')}: answers who it is and what it was asked`,
    start: (spec, services) =>
      startAll(ports.map((port) => () => serveHttp(spec, services, port, whoami(spec)))),
  };
}

/** What an image outside the catalogue becomes. */
export const httpOnDeclaredPorts: BuiltinImage = {
  summary: 'HTTP on every declared TCP containerPort: answers who it is and what it was asked',
  start(spec, services) {
    const ports = spec.ports.filter(({ protocol }) => protocol === 'TCP').map(({ port }) => port);
    return startAll(
      [...new Set(ports)].map((port) => () => serveHttp(spec, services, port, whoami(spec))),
    );
  },
};
