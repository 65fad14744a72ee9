import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { errorCode } from '../base/errors.ts';
import { formatIp, type IpAddress } from '../base/ip.ts';
import {
  type DatagramPort,
  type DatagramPortOptions,
  type DatagramSender,
  type DatagramSenderOptions,
  MAX_QUEUED_BYTES,
} from './datagram-port.ts';

/** What a sender takes before it is connected, some turns of the loop. */
const MAX_WAITING = 64;

/** A {@link DatagramPort} of node:dgram: a system call and an event for every datagram, but on every system. */
export async function openNodeDatagramPort(options: DatagramPortOptions): Promise<DatagramPort> {
  const socket = createUdpSocket(options.address.family);
  try {
    const listening = once(socket, 'listening');
    socket.bind({ address: formatIp(options.address), port: options.port, exclusive: true });
    await listening;
    socket.setRecvBufferSize(options.receiveBufferBytes);
  } catch (error) {
    await closeUdp(socket);
    throw error;
  }
  return new NodeDatagramPort(options, socket);
}

class NodeDatagramPort implements DatagramPort {
  readonly #address: IpAddress;
  readonly #socket: Socket;
  readonly #senders = new Set<NodeSender>();
  #receiveErrors = 0;

  constructor({ address, onDatagram }: DatagramPortOptions, socket: Socket) {
    this.#address = address;
    this.#socket = socket;
    socket.on('message', (datagram, from) => onDatagram(datagram, from.address));
    socket.on('error', () => {
      this.#receiveErrors += 1;
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  get receiveBufferBytes(): number {
    return this.#socket.getRecvBufferSize();
  }

  get receiveErrors(): number {
    return this.#receiveErrors;
  }

  connect(options: DatagramSenderOptions): DatagramSender {
    const sender = new NodeSender(this.#address, options, () => this.#senders.delete(sender));
    this.#senders.add(sender);
    return sender;
  }

  async close(): Promise<void> {
    const senders = [...this.#senders].map((sender) => sender.close());
    await Promise.all([...senders, closeUdp(this.#socket)]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

class NodeSender implements DatagramSender {
  readonly #socket: Socket;
  readonly #onLost: DatagramSenderOptions['onLost'];
  readonly #onClosed: () => void;
  /** Undefined once connected. */
  #waiting: Uint8Array[] | undefined = [];

  constructor(
    local: IpAddress,
    { remote, port, onLost }: DatagramSenderOptions,
    onClosed: () => void,
  ) {
    this.#onLost = onLost;
    this.#onClosed = onClosed;
    this.#socket = createUdpSocket(remote.family);
    // Of an earlier datagram; the kernel does not say which.
    this.#socket.on('error', this.#onSent);
    this.#socket.bind({ address: formatIp(local), port: 0, exclusive: true }, () => {
      this.#socket.connect(port, formatIp(remote), () => {
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        for (const datagram of waiting) this.#socket.send(datagram, this.#onSent);
      });
    });
  }

  send(datagram: Uint8Array): boolean {
    if (this.#waiting !== undefined) {
      if (this.#waiting.length >= MAX_WAITING) return false;
      this.#waiting.push(datagram);
      return true;
    }
    if (this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES) return false;
    this.#socket.send(datagram, this.#onSent);
    return true;
  }

  async close(): Promise<void> {
    this.#onClosed();
    await closeUdp(this.#socket);
  }

  /** Without a callback Node swallows the errors of send. */
  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#onLost(errorCode(error) ?? '', 1);
  };
}

type Lookup = (
  hostname: string,
  options: unknown,
  callback: (error: null, address: string, family: number) => void,
) => void;

/** A socket for numeric addresses: Node would ask its resolver, which answers some loop turns later. */
function createUdpSocket(family: IpAddress['family']): Socket {
  const version = family === 'IPv4' ? 4 : 6;
  const lookup: Lookup = (hostname, _options, callback) => callback(null, hostname, version);
  return createSocket({ type: `udp${version}`, lookup });
}

/** Idempotent; resolves once the socket is gone. */
async function closeUdp(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  try {
    socket.close();
  } catch {
    // Closed already, so that its event has been.
    return;
  }
  await closed;
}
