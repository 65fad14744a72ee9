import { createSocket } from 'node:dgram';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { formatHostPort } from '../../base/ip.ts';
import type { ContainerSpec } from '../runtime/container.ts';
import { type HttpHandler, serveHttp, startAll } from './http-image.ts';
import { idle } from './idle-image.ts';
import type { BuiltinImage, ImageServices, RunningImage } from './image.ts';

/**
 * The sub-commands of registry.k8s.io/e2e-test-images/agnhost that networking tests use: netexec (without
 * its shell), serve-hostname, liveness and pause. Paths, ports and answers as in kubernetes/kubernetes
 * test/images/agnhost.
 */
export const agnhost: BuiltinImage = {
  summary:
    'agnhost: netexec (HTTP 8080, UDP 8081: /hostname /clientip /echo /header /healthz /exit), serve-hostname (9376), liveness (8080), pause',
  start(spec, services) {
    const [subcommand = 'pause', ...flags] = [...spec.command.slice(1), ...spec.args];
    const start = SUBCOMMANDS[subcommand];
    if (start === undefined) throw new Error(`agnhost: unknown command "${subcommand}"`);
    return start(spec, services, parseFlags(flags));
  },
};

type Flags = ReadonlyMap<string, string>;
type Start = (spec: ContainerSpec, services: ImageServices, flags: Flags) => Promise<RunningImage>;

const SUBCOMMANDS: Readonly<Record<string, Start>> = {
  pause: (spec, services) => idle.start(spec, services),
  netexec: startNetexec,
  'serve-hostname': startServeHostname,
  liveness: startLiveness,
};

/** Go's flag syntax: `--name=value`, `-name value`, and `--name` alone for true. */
function parseFlags(words: readonly string[]): Flags {
  const flags = new Map<string, string>();
  for (let index = 0; index < words.length; index += 1) {
    const match = /^--?([^=]+)(?:=(.*))?$/s.exec(words[index] ?? '');
    if (match?.[1] === undefined) continue;
    const next = words[index + 1];
    const takesNext = match[2] === undefined && next !== undefined && !next.startsWith('-');
    flags.set(match[1], match[2] ?? (takesNext ? next : 'true'));
    if (takesNext) index += 1;
  }
  return flags;
}

function portFlag(flags: Flags, name: string, fallback: number): number {
  const text = flags.get(name);
  if (text === undefined) return fallback;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`agnhost: --${name}: ${text} is not a port`);
  return port;
}

function answer(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(body);
}

function clientAddress(request: IncomingMessage): string {
  return formatHostPort(request.socket.remoteAddress ?? '', request.socket.remotePort ?? 0);
}

async function startNetexec(
  spec: ContainerSpec,
  services: ImageServices,
  flags: Flags,
): Promise<RunningImage> {
  let exit: (code: number) => void = () => undefined;
  const exited = new Promise<number>((resolve) => {
    exit = resolve;
  });
  const handler: HttpHandler = (request, response) => {
    request.resume();
    const url = new URL(request.url ?? '/', 'http://pod');
    const query = url.searchParams;
    switch (url.pathname.toLowerCase()) {
      case '/':
        return answer(response, 200, `NOW: ${new Date(services.clock.wallNow()).toISOString()}`);
      case '/hostname':
        return answer(response, 200, spec.pod.name);
      case '/clientip':
        return answer(response, 200, clientAddress(request));
      case '/echo':
        return answer(response, Number(query.get('code') ?? 200), query.get('msg') ?? '');
      case '/header':
        return answer(
          response,
          200,
          String(request.headers[(query.get('key') ?? '').toLowerCase()] ?? ''),
        );
      case '/healthz':
        return answer(response, 200, '');
      case '/exit':
        answer(response, 200, '');
        return exit(Number(query.get('code') ?? 0));
      default:
        return answer(response, 404, '404 page not found\n');
    }
  };
  const image = await startAll([
    () => serveHttp(spec, services, portFlag(flags, 'http-port', 8080), handler),
    () => serveUdp(spec, services, portFlag(flags, 'udp-port', 8081)),
  ]);
  return { ...image, exited };
}

async function startServeHostname(
  spec: ContainerSpec,
  services: ImageServices,
  flags: Flags,
): Promise<RunningImage> {
  const port = portFlag(flags, 'port', 9376);
  if (flags.get('udp') === 'true') return serveUdp(spec, services, port);
  return serveHttp(spec, services, port, (request, response) => {
    request.resume();
    answer(response, 200, spec.pod.name);
  });
}

/** /healthz is well for ten seconds and fails afterwards. */
const LIVENESS_GOOD_MS = 10_000;

async function startLiveness(spec: ContainerSpec, services: ImageServices): Promise<RunningImage> {
  const startedAt = services.clock.now();
  return serveHttp(spec, services, 8080, (request, response) => {
    request.resume();
    const ageMs = services.clock.now() - startedAt;
    if (ageMs < LIVENESS_GOOD_MS) answer(response, 200, 'ok');
    else answer(response, 500, `error: ${ageMs / 1000}`);
  });
}

/** `hostname`, `clientip` and `echo TEXT`, one datagram each. */
async function serveUdp(
  spec: ContainerSpec,
  services: ImageServices,
  port: number,
): Promise<RunningImage> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const [command = '', ...words] = message.toString('utf8').trim().split(' ');
    const replies: Record<string, string> = {
      hostname: spec.pod.name,
      clientip: formatHostPort(from.address, from.port),
      echo: words.join(' '),
    };
    const reply = replies[command.toLowerCase()];
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: spec.pod.ip, port: services.bindPort(spec.pod.ip, port) }, resolve);
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= new Promise<void>((resolve) => socket.close(() => resolve())));
  return { close, [Symbol.asyncDispose]: close };
}
