import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Clock } from '../../../base/clock.ts';
import { errorCode, PodwireError } from '../../../base/errors.ts';
import { formatHostPort } from '../../../base/ip.ts';
import type { TransportProtocol } from '../../plugin/plugin.ts';
import { TcpFraming, withLength } from '../../server/tcp-framing.ts';
import type { UpstreamAddress } from './options.ts';

/** Receives whole messages and the end of a connection. */
export interface ConnectionEvents {
  message(bytes: Buffer): void;
  failed(error: Error): void;
}

/** A socket to one upstream, used for one query at a time. */
export interface Connection {
  readonly protocol: TransportProtocol;
  readonly closed: boolean;
  /** Replaced for every query. */
  events: ConnectionEvents | undefined;
  send(bytes: Buffer): void;
  /** Idempotent; no events after it. */
  close(): void;
}

export interface ConnectOptions {
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
}

/** Resolves once it can send. Rejects with code `DNS_UPSTREAM`. */
export function openConnection(
  protocol: TransportProtocol,
  to: UpstreamAddress,
  options: ConnectOptions,
): Promise<Connection> {
  return protocol === 'udp' ? openUdp(to) : openTcp(to, options);
}

/** What CoreDNS logs when an upstream fails, e.g. `read udp: 192.0.2.1:53: i/o timeout`. */
export function upstreamError(
  operation: string,
  protocol: TransportProtocol,
  to: UpstreamAddress,
  cause: unknown,
): PodwireError {
  const code = errorCode(cause);
  const why = code === 'ECONNREFUSED' ? 'connection refused' : (code ?? String(cause));
  const where = formatHostPort(to.address, to.port);
  return new PodwireError('DNS_UPSTREAM', `${operation} ${protocol} ${where}: ${why}`, { cause });
}

function openUdp(to: UpstreamAddress): Promise<Connection> {
  const socket = createSocket(to.address.includes(':') ? 'udp6' : 'udp4');
  let closed = false;
  const connection: Connection = {
    protocol: 'udp',
    events: undefined,
    get closed() {
      return closed;
    },
    send: (bytes) => socket.send(bytes),
    close() {
      if (closed) return;
      closed = true;
      connection.events = undefined;
      socket.close();
    },
  };
  const fail = (error: Error): void => {
    const { events } = connection;
    connection.close();
    events?.failed(upstreamError('read', 'udp', to, error));
  };
  socket.on('message', (bytes) => connection.events?.message(bytes));
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      connection.close();
      reject(upstreamError('dial', 'udp', to, error));
    });
    socket.connect(to.port, to.address, () => {
      socket.removeAllListeners('error');
      socket.on('error', fail);
      resolve(connection);
    });
  });
}

function openTcp(to: UpstreamAddress, options: ConnectOptions): Promise<Connection> {
  const socket = connect({ host: to.address, port: to.port, noDelay: true });
  const framing = new TcpFraming();
  const connection: Connection = {
    protocol: 'tcp',
    events: undefined,
    get closed() {
      return socket.destroyed;
    },
    send: (bytes) => void socket.write(withLength(bytes)),
    close() {
      connection.events = undefined;
      socket.destroy();
    },
  };
  const fail = (error: Error): void => {
    const { events } = connection;
    connection.close();
    events?.failed(upstreamError('read', 'tcp', to, error));
  };
  socket.on('data', (chunk: Buffer) => {
    framing.push(chunk);
    for (let bytes = framing.next(); bytes !== undefined; bytes = framing.next())
      connection.events?.message(bytes);
  });
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      deadline.cancel();
      socket.destroy();
      reject(upstreamError('dial', 'tcp', to, error));
    };
    const deadline = options.clock.setTimer(options.connectTimeoutMs, () =>
      refuse(new Error('i/o timeout')),
    );
    socket.once('error', refuse);
    socket.once('connect', () => {
      deadline.cancel();
      socket.removeAllListeners('error');
      socket.on('error', fail);
      socket.on('close', () => fail(new Error('EOF')));
      resolve(connection);
    });
  });
}
