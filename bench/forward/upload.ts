import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A server of its own process that throws away what it is sent and answers a FIN with how many bytes there were. */
export interface Sink extends AsyncDisposable {
  readonly port: number;
}

const CHUNK_BYTES = 1 << 20;

export async function startSink(): Promise<Sink> {
  const child = fork(import.meta.filename, { execArgv: ['--import', 'tsx'] });
  const [port] = (await once(child, 'message')) as [number];
  return {
    port,
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    },
  };
}

export interface UploadResult {
  readonly bytes: number;
  /** Connections whose bytes did not all arrive. */
  readonly errors: number;
}

/** Sends as fast as the way to the sink takes it. */
export async function upload(
  port: number,
  load: { readonly connections: number; readonly seconds: number },
): Promise<UploadResult> {
  const deadline = performance.now() + load.seconds * 1000;
  const results = await Promise.all(
    Array.from({ length: load.connections }, () => uploadOne(port, deadline)),
  );
  return {
    bytes: results.reduce((sum, { bytes }) => sum + bytes, 0),
    errors: results.filter(({ whole }) => !whole).length,
  };
}

async function uploadOne(
  port: number,
  deadline: number,
): Promise<{ bytes: number; whole: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  const chunk = Buffer.alloc(CHUNK_BYTES, 'x');
  let bytes = 0;
  while (performance.now() < deadline) {
    bytes += chunk.length;
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  let counted = '';
  for await (const text of socket.setEncoding('utf8')) counted += String(text);
  return { bytes, whole: counted === String(bytes) };
}

function serve(): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let bytes = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.on('end', () => socket.end(String(bytes)));
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    const bound = server.address();
    process.send?.(typeof bound === 'object' ? bound?.port : undefined);
  });
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) serve();
