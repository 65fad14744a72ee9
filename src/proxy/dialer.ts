import type { Duplex } from 'node:stream';
import type { SocketAddress } from './flow.ts';

/**
 * The ways from this node to an endpoint: on this node through a socket, on another one through the
 * overlay. The node that owns the proxy supplies it. Called once a connection; must not block.
 */
export interface Dialer {
  /** `source` is the address the endpoint is to see. */
  stream(endpoint: SocketAddress, source: string): StreamWay;
  datagrams(endpoint: SocketAddress, source: string): DatagramWay;
}

interface SocketWay {
  readonly kind: 'dial';
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** True: the same at any later time, so it need not be asked for again. */
  readonly lasting?: boolean;
}

export type StreamWay =
  | SocketWay
  /** `open` is called at once; the stream is established, or `connecting` until its 'connect' event. */
  | { readonly kind: 'stream'; open(): Duplex };

export type DatagramWay =
  | SocketWay
  /** `receive` gets each datagram of the endpoint. */
  | { readonly kind: 'channel'; open(receive: (message: Uint8Array) => void): DatagramChannel };

/** One client's datagrams to one endpoint. */
export interface DatagramChannel {
  /** Sends, or drops when it cannot. */
  send(message: Uint8Array): void;
  /** Idempotent; nothing is received afterwards. */
  close(): void;
}

/** Every endpoint is reached through the machine's own sockets. */
export const directDialer: Dialer = {
  stream: ({ address, port }, source) => ({
    kind: 'dial',
    address,
    port,
    localAddress: source,
    lasting: true,
  }),
  datagrams: ({ address, port }, source) => ({ kind: 'dial', address, port, localAddress: source }),
};
