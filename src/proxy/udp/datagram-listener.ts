import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import type { Resource } from '../../base/lifetime.ts';
import type { SocketAddress } from '../flow.ts';

/** A bound UDP socket that answers whoever wrote to it. */
export interface DatagramListener extends Resource {
  readonly local: SocketAddress;
  /** Best effort, as UDP is: what the kernel does not take is lost. */
  send(message: Uint8Array, to: SocketAddress): void;
}

export type OnDatagram = (
  listener: DatagramListener,
  message: Buffer,
  source: SocketAddress,
) => void;

/** Rejects with the system's error when the address cannot be had. */
export async function listenDatagrams(
  local: SocketAddress,
  onDatagram: OnDatagram,
): Promise<DatagramListener> {
  const socket = createDatagramSocket(local.address);
  await bound(socket, local);
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await new Promise<void>((resolve) => {
      socket.close(resolve);
    });
  };
  const listener: DatagramListener = {
    local: { address: local.address, port: socket.address().port },
    send: (message, to) => {
      if (open) socket.send(message, to.port, to.address, ignore);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  socket.on('error', ignore);
  socket.on('message', (message: Buffer, source: RemoteInfo) => {
    onDatagram(listener, message, source);
  });
  return listener;
}

/** A socket that takes addresses as they are: no name is looked up, no loop turn lost on it. */
export function createDatagramSocket(address: string): Socket {
  const ipv6 = address.includes(':');
  const options: SocketOptions = {
    type: ipv6 ? 'udp6' : 'udp4',
    lookup: (host, _options, found) => {
      found(null, host, ipv6 ? 6 : 4);
    },
  };
  return createSocket(options);
}

function bound(socket: Socket, local: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', failed);
    socket.bind({ address: local.address, port: local.port, exclusive: true }, () => {
      socket.off('error', failed);
      resolve();
    });
  });
}

function ignore(): void {}
