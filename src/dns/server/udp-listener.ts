import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { sleep, type Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { QueryHandler } from './query-handler.ts';
import { bindError, type BoundAddress } from './bind-error.ts';

/** Room for bursts while one event-loop turn runs; the kernel caps it at net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** After this long without a packet the kernel's buffer is taken to be empty. */
const QUIET_MS = 20;
/** Where packets keep coming, closing waits no longer than this. */
const MAX_QUIET_WAIT_MS = 500;

/** Owns one UDP socket and hands its packets to a handler. */
export class UdpListener implements Resource {
  readonly address: BoundAddress;
  readonly #socket: Socket;
  readonly #handler: QueryHandler;
  readonly #clock: Clock;
  #pending = 0;
  #received = 0;
  #socketClosed = false;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  private constructor(socket: Socket, handler: QueryHandler, clock: Clock) {
    const { address, port } = socket.address();
    this.address = { address, port };
    this.#socket = socket;
    this.#handler = handler;
    this.#clock = clock;
  }

  /** Resolves once bound. Throws a PodwireError with code `DNS_BIND`. */
  static async open(
    address: string,
    port: number,
    handler: QueryHandler,
    { clock, log }: { readonly clock: Clock; readonly log: Logger },
  ): Promise<UdpListener> {
    const family = address.includes(':') ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
      // Replies go to addresses, never to names: skip the resolver on every send.
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address, port, exclusive: false }, resolve);
    }).catch((error: unknown) => {
      socket.close();
      throw bindError(error, 'UDP', address, port);
    });
    socket.removeAllListeners('error');
    socket.on('error', (error) => log.warn({ err: error, address, port }, 'DNS UDP socket error'));
    const listener = new UdpListener(socket, handler, clock);
    socket.on('message', (packet, remote) => listener.#receive(packet, remote));
    return listener;
  }

  /** Answers what has come in, then closes. */
  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeSocket();
    this.#drained?.();
  }

  #receive(packet: Buffer, remote: RemoteInfo): void {
    this.#received += 1;
    const ready = this.#handler.cached(packet);
    if (ready !== undefined) {
      this.#sendCached(ready, remote);
      return;
    }
    void this.#answer(packet, remote);
  }

  async #answer(packet: Buffer, remote: RemoteInfo): Promise<void> {
    this.#pending += 1;
    const { address, port, family } = remote;
    const peer = { address, port, family, protocol: 'udp' } as const;
    const [reply] = await this.#handler.handle(packet, peer, this.address);
    if (reply !== undefined) this.#send(reply, remote);
    this.#pending -= 1;
    if (this.#pending === 0) this.#drained?.();
  }

  /** The cache owns the buffer; only what the kernel took at once may be sent from it. */
  #sendCached(reply: Buffer, remote: RemoteInfo): void {
    const queued = this.#socket.getSendQueueCount() > 0;
    this.#send(queued ? Buffer.from(reply) : reply, remote);
  }

  #send(reply: Buffer, remote: RemoteInfo): void {
    // Port 0 cannot be answered and makes send throw.
    if (remote.port === 0 || this.#socketClosed) return;
    // Without offset and length, which would cost a view for every packet.
    this.#socket.send(reply, remote.port, remote.address);
  }

  async #finish(): Promise<void> {
    const deadline = this.#clock.now() + MAX_QUIET_WAIT_MS;
    for (let seen = -1; seen !== this.#received && this.#clock.now() < deadline; ) {
      seen = this.#received;
      await sleep(this.#clock, QUIET_MS);
      // After a pause of the whole process timers come before what has arrived meanwhile: that is read first.
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
    }
    this.#socket.removeAllListeners('message');
    await this.#idle();
    await this.#closeSocket();
  }

  async #idle(): Promise<void> {
    if (this.#pending === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  #closeSocket(): Promise<void> {
    if (this.#socketClosed) return Promise.resolve();
    this.#socketClosed = true;
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}
