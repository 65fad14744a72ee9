import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { resetStream } from '../../base/reset-stream.ts';
import { podAddress } from '../scenario/network-plan.ts';
import type { BackendPool } from '../sim/backend-pool.ts';
import { MessageCutter } from './message-cutter.ts';
import type { MessageFormat } from './message-format.ts';

const BACKLOG = 4096;

/** Connections by backend. */
export interface ConnectionCounts {
  readonly open: Int32Array;
  readonly peak: Int32Array;
}

export interface BackendServerOptions {
  readonly index: number;
  /** Says when each request is done: the very queue of the simulation. */
  readonly pool: BackendPool;
  readonly format: MessageFormat;
  readonly counts: ConnectionCounts;
  readonly clock: Clock;
}

/** One backend on a real socket. Owns its server and connections. */
export class BackendServer {
  readonly #options: BackendServerOptions;
  readonly #server: Server;
  readonly #sockets = new Map<Socket, { inFlight: number }>();
  #stopping = false;

  constructor(options: BackendServerOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Rejects when the address cannot be had. */
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

  /** Gone at once: everything is reset. */
  kill(): void {
    this.#server.close();
    for (const socket of this.#sockets.keys()) resetStream(socket);
  }

  #accept(socket: Socket): void {
    const { index, counts, format } = this.#options;
    const state = { inFlight: 0 };
    const cutter = new MessageCutter(format.requestBytes);
    this.#sockets.set(socket, state);
    const open = (counts.open[index] ?? 0) + 1;
    counts.open[index] = open;
    if (open > (counts.peak[index] ?? 0)) counts.peak[index] = open;
    // What broke a connection is told by 'close'.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      counts.open[index] = (counts.open[index] ?? 0) - 1;
    });
    socket.on('data', (chunk) => {
      cutter.push(chunk, (bytes, offset) => {
        state.inFlight += 1;
        this.#serve(socket, state, format.requestId(bytes, offset));
      });
    });
  }

  #serve(socket: Socket, state: { inFlight: number }, id: number): void {
    const { index, pool, format, clock } = this.#options;
    const now = clock.now();
    const endAt = pool.admit(index, now);
    const answer = (backend: number): void => {
      state.inFlight -= 1;
      if (!socket.writable) return;
      socket.write(format.response(id, backend));
      if (this.#stopping && state.inFlight === 0) socket.end();
    };
    if (endAt < 0) {
      answer(-1);
      return;
    }
    clock.setTimer(endAt - now, () => {
      pool.leave(index);
      answer(index);
    });
  }
}
