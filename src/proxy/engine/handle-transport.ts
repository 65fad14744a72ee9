import type { SocketAddress } from '../flow.ts';
import { ListenError } from './engine.ts';
import { type HandleContext, HandleEnd } from './handle-end.ts';
import { ReadBuffers } from './read-buffers.ts';
import { systemErrorCode } from './socket-error.ts';
import type { LocalSource } from './source-ports.ts';
import {
  type AcceptEvents,
  BACKLOG,
  type EndHandler,
  type StreamEnd,
  type Transport,
  type TransportListener,
} from './stream-end.ts';
import type {
  ConnectRequest,
  PeerName,
  ServerHandle,
  TcpBinding,
  TcpHandle,
} from './tcp-binding.ts';

const END = Symbol('end');

type EndRequest = ConnectRequest & { [END]?: HandleEnd };

/** Sockets through the handles under node:net: the same system calls with less in between. */
export class HandleTransport implements Transport {
  readonly name = 'handle';
  readonly #context: HandleContext;

  constructor(binding: TcpBinding) {
    this.#context = { binding, buffers: new ReadBuffers() };
  }

  listen(address: string, port: number, events: AcceptEvents): Promise<TransportListener> {
    return this.#listen({ address, port }, events, (server) => bind(server, address, port));
  }

  adopt(fd: number, local: SocketAddress, events: AcceptEvents): Promise<TransportListener> {
    return this.#listen(local, events, (server) => server.open(fd));
  }

  async #listen(
    local: SocketAddress,
    events: AcceptEvents,
    open: (server: ServerHandle) => number,
  ): Promise<TransportListener> {
    const server = this.#context.binding.createServer();
    const peer: PeerName = {};
    server.onconnection = (status, handle) => {
      if (status !== 0) {
        events.acceptFailed();
        return;
      }
      const end = new HandleEnd(this.#context, handle);
      // Reset while it waited in the queue: there is nobody to serve.
      if (handle.getpeername(peer) !== 0) end.close();
      else events.accepted(end, { address: peer.address ?? '', port: peer.port ?? 0 });
    };
    const status = open(server) || server.listen(BACKLOG);
    if (status !== 0) {
      await closeServer(server);
      throw new ListenError(systemErrorCode(status), local);
    }
    // Accepted sockets inherit it.
    server.setNoDelay(true);
    return listenerOf(server, local.address);
  }

  dial(remote: SocketAddress, source: LocalSource | undefined, handler: EndHandler): StreamEnd {
    const handle = this.#context.binding.createSocket();
    const end = new HandleEnd(this.#context, handle);
    end.attach(handler);
    const status = this.#connect(end, handle, remote, source);
    if (status !== 0) end.fail(status, 'connect');
    return end;
  }

  #connect(
    end: HandleEnd,
    handle: TcpHandle,
    remote: SocketAddress,
    source: LocalSource | undefined,
  ): number {
    if (source !== undefined) {
      const status = bind(handle, source.address, source.port);
      if (status !== 0) return status;
    }
    const request: EndRequest = this.#context.binding.createConnect();
    request.oncomplete = onConnected;
    request[END] = end;
    const status = isIpv6(remote.address)
      ? handle.connect6(request, remote.address, remote.port)
      : handle.connect(request, remote.address, remote.port);
    if (status === 0) handle.setNoDelay(true);
    return status;
  }
}

function onConnected(this: EndRequest, status: number): void {
  this[END]?.connected(status);
}

function bind(handle: TcpHandle | ServerHandle, address: string, port: number): number {
  return isIpv6(address) ? handle.bind6(address, port, 0) : handle.bind(address, port);
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

function listenerOf(server: ServerHandle, address: string): TransportListener {
  const name: { port?: number } = {};
  server.getsockname(name);
  let closing: Promise<void> | undefined;
  return {
    local: { address, port: name.port ?? 0 },
    close() {
      closing ??= closeServer(server);
      return closing;
    },
  };
}

function closeServer(server: ServerHandle): Promise<void> {
  return new Promise((resolve) => {
    server.close(resolve);
  });
}
