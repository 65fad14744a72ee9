// Small TCP clients and servers with the events a test wants to await.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import type { SocketAddress } from '../../src/proxy/flow.ts';

export interface TestServer extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** Sockets accepted so far, in order. */
  readonly sockets: Socket[];
  /** The next connection. */
  accepted(): Promise<Socket>;
}

/** A server on a free port; its sockets stay half-open and swallow errors unless the test listens. */
export async function startServer(
  onConnection: (socket: Socket) => void = () => {},
  address = '127.0.0.1',
): Promise<TestServer> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address,
    port,
    sockets,
    accepted: async () => {
      const [socket] = (await once(server, 'connection')) as [Socket];
      return socket;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const echoBack = (socket: Socket): void => {
  socket.pipe(socket);
};

/** A connected client; errors are left to `ended`. */
export async function dial(to: SocketAddress, localAddress?: string): Promise<Socket> {
  const socket = connectTo(to, localAddress);
  await once(socket, 'connect');
  socket.on('error', () => {});
  return socket;
}

function connectTo(to: SocketAddress, localAddress: string | undefined): Socket {
  return connect({
    host: to.address,
    port: to.port,
    allowHalfOpen: true,
    ...(localAddress === undefined ? {} : { localAddress }),
  });
}

/** How a socket came to its end: its error's code, else 'fin'. Reads and drops what arrives. */
export function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('end', () => resolve('fin'));
    socket.once('close', () => resolve('close'));
    socket.resume();
  });
}

/** Connects and tells how that ended; a reset may come before the client knows that it is connected. */
export async function fate(to: SocketAddress, localAddress?: string): Promise<string> {
  const socket = connectTo(to, localAddress);
  const end = await ending(socket);
  socket.destroy();
  return end;
}

/** Everything until FIN. Rejects on reset. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false }))
    chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The next `length` bytes. */
export async function readBytes(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let have = 0;
  while (have < length) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) await once(socket, 'readable');
    else {
      chunks.push(chunk);
      have += chunk.length;
    }
  }
  return Buffer.concat(chunks);
}

/** Lets `turns` event-loop turns pass. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
