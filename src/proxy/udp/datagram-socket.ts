import type { Socket } from 'node:dgram';
import type { DatagramChannel } from '../dialer.ts';
import type { SocketAddress } from '../flow.ts';
import { createDatagramSocket } from './datagram-listener.ts';

/** Datagrams that wait while the socket is being set up; more are dropped. */
const MAX_WAITING = 64;

/**
 * One flow's socket towards its endpoint. Connected, so that only the endpoint can answer. When `source` is not
 * an address of this machine, or has no port left, the kernel chooses another.
 */
export class DatagramSocket implements DatagramChannel {
  readonly #endpoint: SocketAddress;
  readonly #receive: (message: Uint8Array) => void;
  readonly #refused: () => void;
  #socket: Socket;
  #waiting: Uint8Array[] | undefined = [];
  #open = true;

  constructor(
    endpoint: SocketAddress,
    source: string | undefined,
    receive: (message: Uint8Array) => void,
    /** Nothing listens at the endpoint: for those who can pass that on. */
    refused: () => void = ignore,
  ) {
    this.#endpoint = endpoint;
    this.#receive = receive;
    this.#refused = refused;
    this.#socket = this.#start(source);
  }

  send(message: Uint8Array): void {
    if (!this.#open) return;
    if (this.#waiting === undefined) this.#socket.send(message, this.#onError);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#waiting = undefined;
    this.#socket.close();
  }

  #start(source: string | undefined): Socket {
    const socket = createDatagramSocket(this.#endpoint.address);
    socket.on('message', (message) => {
      if (this.#open) this.#receive(message);
    });
    const connect = (): void => {
      if (!this.#open) return;
      // A connected socket is told of ICMP errors: a client behind a socket cannot be.
      socket.on('error', this.#onError);
      socket.connect(this.#endpoint.port, this.#endpoint.address, () => {
        if (this.#open) this.#flush();
      });
    };
    if (source === undefined) {
      connect();
      return socket;
    }
    socket.once('error', () => {
      socket.close();
      if (this.#open) this.#socket = this.#start(undefined);
    });
    socket.bind({ address: source, port: 0, exclusive: true }, () => {
      socket.removeAllListeners('error');
      connect();
    });
    return socket;
  }

  #flush(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.#socket.send(message, this.#onError);
  }

  readonly #onError = (error: NodeJS.ErrnoException | null): void => {
    if (this.#open && error?.code === 'ECONNREFUSED') this.#refused();
  };
}

function ignore(): void {}
