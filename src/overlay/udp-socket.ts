import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type IpAddress, formatIp } from '../base/ip.ts';

type Lookup = (
  hostname: string,
  options: unknown,
  callback: (error: null, address: string, family: number) => void,
) => void;

/** A socket for numeric addresses: Node would ask its resolver, which answers some loop turns later. */
export function createUdpSocket(family: IpAddress['family']): Socket {
  const version = family === 'IPv4' ? 4 : 6;
  const lookup: Lookup = (hostname, _options, callback) => callback(null, hostname, version);
  return createSocket({ type: `udp${version}`, lookup });
}

/** Binds and waits until it is bound. Rejects with the system's error, for example EADDRINUSE or EACCES. */
export async function bindUdp(socket: Socket, address: IpAddress, port: number): Promise<void> {
  const listening = once(socket, 'listening');
  socket.bind({ address: formatIp(address), port, exclusive: true });
  await listening;
}

/** Idempotent; resolves once the socket is gone. */
export async function closeUdp(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  try {
    socket.close();
  } catch {
    // Closed already, so that its event has been.
    return;
  }
  await closed;
}
