import { createServer, type Socket } from 'node:net';
import type { ContainerSpec } from '../runtime/container.ts';
import type { BuiltinImage, ImageServices, RunningImage } from './image.ts';
import { type RedisReply, RedisStore } from './redis-store.ts';

/** A request longer than this ends its connection. */
const MAX_REQUEST_BYTES = 1024 * 1024;

/** A real subset of Redis over RESP2: strings, counters, lists, expiry; one store a pod. */
export const redis: BuiltinImage = {
  summary: 'Redis on 6379: PING SET GET INCR EXPIRE LPUSH LRANGE … (RESP2)',
  async start(spec: ContainerSpec, services: ImageServices): Promise<RunningImage> {
    const store = new RedisStore(services.clock);
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      converse(socket, store);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: spec.pod.ip, port: services.bindPort(spec.pod.ip, 6379) }, resolve);
    });
    spec.output.write('stdout', '* Ready to accept connections tcp\n');
    let closing: Promise<void> | undefined;
    // Redis too closes its clients' connections at once when it is told to end.
    const close = (): Promise<void> =>
      (closing ??= new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }));
    return { close, [Symbol.asyncDispose]: close };
  },
};

function converse(socket: Socket, store: RedisStore): void {
  let buffered = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    const replies: Buffer[] = [];
    for (;;) {
      const parsed = parseRequest(buffered);
      if (parsed === 'invalid' || buffered.length > MAX_REQUEST_BYTES) {
        socket.end('-ERR Protocol error\r\n');
        return;
      }
      if (parsed === 'incomplete') break;
      buffered = buffered.subarray(parsed.length);
      if (parsed.words.length > 0) replies.push(encodeReply(store.execute(parsed.words)));
      if (parsed.words[0]?.toUpperCase() === 'QUIT') {
        socket.end(Buffer.concat(replies));
        return;
      }
    }
    if (replies.length > 0) socket.write(Buffer.concat(replies));
  });
}

type Parsed = { words: string[]; length: number } | 'incomplete' | 'invalid';

/** One request from the front of `data`: a RESP array of bulk strings, or an inline command. */
export function parseRequest(data: Buffer): Parsed {
  const header = lineAt(data, 0);
  if (header === undefined) return 'incomplete';
  if (!header.text.startsWith('*'))
    return { words: header.text.split(/\s+/).filter((word) => word !== ''), length: header.next };
  const count = Number(header.text.slice(1));
  if (!Number.isInteger(count) || count > 1024) return 'invalid';
  const words: string[] = [];
  let at = header.next;
  for (let index = 0; index < count; index += 1) {
    const size = lineAt(data, at);
    if (size === undefined) return 'incomplete';
    const bytes = Number(size.text.slice(1));
    if (!size.text.startsWith('$') || !Number.isInteger(bytes) || bytes < 0) return 'invalid';
    at = size.next + bytes + 2;
    if (data.length < at) return 'incomplete';
    words.push(data.toString('latin1', size.next, size.next + bytes));
  }
  return { words, length: at };
}

function lineAt(data: Buffer, start: number): { text: string; next: number } | undefined {
  const end = data.indexOf('\n', start);
  if (end < 0) return undefined;
  return { text: data.toString('latin1', start, end).replace(/\r$/, ''), next: end + 1 };
}

export function encodeReply(reply: RedisReply): Buffer {
  return Buffer.from(encode(reply), 'latin1');
}

function encode(reply: RedisReply): string {
  if (reply === null) return '$-1\r\n';
  if (typeof reply === 'number') return `:${reply}\r\n`;
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`;
  if (Array.isArray(reply)) return `*${reply.length}\r\n${reply.map(encode).join('')}`;
  return 'ok' in reply ? `+${reply.ok}\r\n` : `-${reply.error}\r\n`;
}
