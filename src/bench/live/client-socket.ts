import { connect } from 'node:net';
import { createDatagramSocket } from '../../proxy/udp/datagram-listener.ts';
import type { SocketAddress } from '../../proxy/flow.ts';

/** A client's end of one connection, or of one UDP socket's talk. */
export interface ClientSocket {
  /** `text` is latin1. */
  send(text: string): void;
  /** Nothing more will be sent; `closed` follows. */
  end(): void;
  /** Gone at once; `closed` follows. */
  destroy(): void;
}

export interface ClientEvents {
  received(chunk: Buffer): void;
  /** `closed` follows. */
  broken(error: Error): void;
  /** The last call, exactly once. */
  closed(): void;
}

/** Dials `entry` from the address `local`. `closed` does not come before it returns. */
export type OpenClient = (
  entry: SocketAddress,
  local: string,
  events: ClientEvents,
) => ClientSocket;

export const openStream: OpenClient = (entry, local, events) => {
  const socket = connect({
    host: entry.address,
    port: entry.port,
    localAddress: local,
    noDelay: true,
  });
  socket.on('data', (chunk) => events.received(chunk));
  socket.on('error', (error) => events.broken(error));
  socket.on('close', () => events.closed());
  return {
    send: (text) => void socket.write(text, 'latin1'),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
};

/** A UDP socket of its own, connected, so that it hears of a port where nobody listens. */
export const openDatagrams: OpenClient = (entry, local, events) => {
  const socket = createDatagramSocket(local);
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    socket.close();
  };
  const waiting: Buffer[] = [];
  let connected = false;
  socket.on('message', (message) => events.received(message));
  socket.on('close', () => events.closed());
  socket.on('error', (error) => {
    events.broken(error);
    close();
  });
  socket.bind({ address: local, port: 0, exclusive: true }, () => {
    if (!open) return;
    socket.connect(entry.port, entry.address, () => {
      connected = true;
      if (open) for (const message of waiting) socket.send(message);
    });
  });
  return {
    send(text) {
      const message = Buffer.from(text, 'latin1');
      if (!open) return;
      if (connected) socket.send(message);
      else waiting.push(message);
    },
    end: close,
    destroy: close,
  };
};
