import { createServer, type Server, type Socket } from 'node:net';
import { resetStream } from '../../base/reset-stream.ts';
import { podAddress } from '../scenario/network-plan.ts';
import { type BackendOptions, type BackendServer, countOpen, serve } from './backend-server.ts';
import { MessageCutter } from './message-cutter.ts';

const BACKLOG = 4096;

/** A backend of TCP and HTTP scenarios. */
export class StreamBackend implements BackendServer {
  readonly #options: BackendOptions;
  readonly #server: Server;
  readonly #sockets = new Map<Socket, { inFlight: number }>();
  #stopping = false;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  listen(): Promise<void> {
    const { address, port } = podAddress(this.#options.index);
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: address, port, backlog: BACKLOG }, resolve);
    });
  }

  /** No new connections; those there are end as soon as they are idle. */
  stop(): void {
    this.#stopping = true;
    this.#server.close();
    for (const [socket, { inFlight }] of this.#sockets) if (inFlight === 0) socket.end();
  }

  /** Everything is reset. */
  kill(): void {
    this.#server.close();
    for (const socket of this.#sockets.keys()) resetStream(socket);
  }

  #accept(socket: Socket): void {
    const { format } = this.#options;
    const state = { inFlight: 0 };
    const cutter = new MessageCutter(format.requestBytes);
    this.#sockets.set(socket, state);
    countOpen(this.#options, 1);
    // What broke a connection is told by 'close'.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      countOpen(this.#options, -1);
    });
    socket.on('data', (chunk) => {
      cutter.push(chunk, (bytes, offset) => {
        state.inFlight += 1;
        serve(this.#options, format.requestId(bytes, offset), (response) => {
          state.inFlight -= 1;
          if (!socket.writable) return;
          socket.write(response, 'latin1');
          if (this.#stopping && state.inFlight === 0) socket.end();
        });
      });
    });
  }
}
