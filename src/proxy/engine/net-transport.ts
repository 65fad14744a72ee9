import { createServer, type ListenOptions, type Server } from 'node:net';
import { errorCode } from '../../base/errors.ts';
import type { SocketAddress } from '../flow.ts';
import { DuplexEnd } from './duplex-end.ts';
import { ListenError } from './engine.ts';
import { ReadBuffers } from './read-buffers.ts';
import type { LocalSource } from './source-ports.ts';
import {
  type AcceptEvents,
  BACKLOG,
  type EndHandler,
  type StreamEnd,
  type Transport,
  type TransportListener,
} from './stream-end.ts';

const buffers = new ReadBuffers();

/** Sockets through node:net's public API: works wherever Node does. */
export const netTransport: Transport = {
  name: 'net',

  listen(address: string, port: number, events: AcceptEvents): Promise<TransportListener> {
    return listenOn({ host: address, port }, { address, port }, events);
  },

  adopt(fd: number, local: SocketAddress, events: AcceptEvents): Promise<TransportListener> {
    return listenOn({ fd }, local, events);
  },

  dial(remote: SocketAddress, source: LocalSource | undefined, handler: EndHandler): StreamEnd {
    return DuplexEnd.dial(
      {
        host: remote.address,
        port: remote.port,
        noDelay: true,
        ...(source === undefined ? {} : { localAddress: source.address, localPort: source.port }),
      },
      buffers,
      handler,
    );
  },
};

function listenOn(
  where: ListenOptions | { readonly fd: number },
  local: SocketAddress,
  events: AcceptEvents,
): Promise<TransportListener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
  server.on('connection', (socket) => {
    const { remoteAddress, remotePort } = socket;
    // Reset while it waited in the queue: there is nobody to serve.
    if (remoteAddress === undefined || remotePort === undefined) socket.destroy();
    else events.accepted(DuplexEnd.of(socket), { address: remoteAddress, port: remotePort });
  });
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new ListenError(errorCode(cause) ?? 'UNKNOWN', local, { cause }));
    });
    server.listen({ ...where, backlog: BACKLOG, exclusive: true }, () => {
      server.removeAllListeners('error').on('error', () => events.acceptFailed());
      resolve(listenerOf(server, local.address));
    });
  });
}

function listenerOf(server: Server, address: string): TransportListener {
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  let closing: Promise<void> | undefined;
  return {
    local: { address, port },
    close() {
      // net.Server waits for its connections; the port is free at once.
      closing ??= new Promise((resolve) => {
        server.close();
        process.nextTick(resolve);
      });
      return closing;
    },
  };
}
