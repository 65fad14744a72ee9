import { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/clock.ts';
import { PodwireError } from '../base/errors.ts';
import { formatHostPort, formatIpv4 } from '../base/ip.ts';
import type { CloseReason } from './tcp/tcp-connection.ts';
import type { TcpSocket } from './tcp/tcp-socket.ts';

export interface TcpStreamOptions {
  /** For {@link TcpStream.setTimeout}. */
  readonly clock: Clock;
  /** The connection is still opening: `connect` will be emitted. */
  readonly isConnecting?: boolean;
  /** False: ends the writable side with the readable one, as net.Socket does by default. Default true. */
  readonly allowHalfOpen?: boolean;
}

/** Small chunks are joined up to this before they are pushed: a push costs more than a copy. */
const JOIN_BYTES = 64 * 1024;
/** From here on a copy costs more. */
const LARGE_BYTES = 16 * 1024;

/** `code` of the error a stream is destroyed with, as net.Socket would have it. */
const ERROR_CODES: Readonly<Record<Exclude<CloseReason, 'closed' | 'aborted'>, string>> = {
  reset: 'ECONNRESET',
  refused: 'ECONNREFUSED',
  'timed-out': 'ETIMEDOUT',
  'host-unreachable': 'EHOSTUNREACH',
  'address-removed': 'ENETDOWN',
};

type WriteCallback = (error?: Error | null) => void;

/**
 * A TCP connection of a userspace stack as a Node stream with the parts of net.Socket that http.Server
 * (`emit('connection', stream)`) and http.Agent (`createConnection`) use. Takes the socket over: destroying
 * the stream closes it, and what was written before is still delivered. A slow reader closes the window.
 */
export class TcpStream extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  timeout = 0;
  connecting: boolean;
  readonly remoteFamily = 'IPv4';
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly #socket: TcpSocket;
  readonly #clock: Clock;
  #wantsData = false;
  #hasEnded = false;
  #unwritten: Uint8Array[] = [];
  #onWritten: WriteCallback | undefined;
  #timer: Timer | undefined;
  #lastActivityAt = 0;

  constructor(socket: TcpSocket, options: TcpStreamOptions) {
    super({ allowHalfOpen: options.allowHalfOpen ?? true });
    this.#socket = socket;
    this.#clock = options.clock;
    this.connecting = options.isConnecting ?? false;
    this.localAddress = formatIpv4(socket.localAddress);
    this.localPort = socket.localPort;
    this.remoteAddress = formatIpv4(socket.remoteAddress);
    this.remotePort = socket.remotePort;
    socket.setHandler({
      connected: () => this.#onConnected(),
      readable: () => this.#pump(),
      writable: () => this.#flush(),
      closed: (reason) => this.#onClosed(reason),
    });
  }

  /** The socket below, for its state and counters. */
  get socket(): TcpSocket {
    return this.#socket;
  }

  /** Nagle's algorithm off (default) or on. */
  setNoDelay(noDelay = true): this {
    this.#socket.setNoDelay(noDelay);
    return this;
  }

  /** Accepted and ignored: keepalive is the stack's configuration. */
  setKeepAlive(): this {
    return this;
  }

  /** Emits `timeout` after `timeoutMs` without reads and writes; 0 ends it. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    this.timeout = timeoutMs;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (onTimeout !== undefined) {
      if (timeoutMs > 0) this.once('timeout', onTimeout);
      else this.off('timeout', onTimeout);
    }
    this.#touch();
    if (timeoutMs > 0 && !this.destroyed) this.#armTimeout(timeoutMs);
    return this;
  }

  /** A stream of the stack never keeps the process alive by itself. */
  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** Ends, then destroys once everything is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Destroys with a reset instead of a FIN. */
  resetAndDestroy(): this {
    this.#socket.abort();
    return this.destroy();
  }

  override _read(): void {
    this.#wantsData = true;
    this.#pump();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#unwritten = [chunk];
    this.#onWritten = callback;
    this.#flush();
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: WriteCallback): void {
    this.#unwritten = chunks.map(({ chunk }) => chunk);
    this.#onWritten = callback;
    this.#flush();
  }

  override _final(callback: WriteCallback): void {
    this.#socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#timer?.cancel();
    this.connecting = false;
    this.#unwritten = [];
    this.#socket.close();
    callback(error);
  }

  #onConnected(): void {
    if (!this.connecting) return;
    this.connecting = false;
    this.#touch();
    this.emit('connect');
    this.emit('ready');
  }

  #pump(): void {
    while (this.#wantsData) {
      const chunk = this.#readJoined();
      if (chunk === undefined) break;
      this.#touch();
      this.bytesRead += chunk.length;
      this.#wantsData = this.push(chunk);
    }
    if (!this.#wantsData || this.#hasEnded || !this.#socket.isReadEnded) return;
    this.#hasEnded = true;
    this.push(null);
  }

  #readJoined(): Buffer | undefined {
    const first = this.#socket.read();
    if (first === undefined) return undefined;
    if (this.#socket.readableBytes === 0 || first.length >= LARGE_BYTES) return asBuffer(first);
    const chunks = [first];
    let bytes = first.length;
    while (bytes < JOIN_BYTES) {
      const next = this.#socket.read();
      if (next === undefined) break;
      chunks.push(next);
      bytes += next.length;
    }
    return Buffer.concat(chunks, bytes);
  }

  #flush(): void {
    const callback = this.#onWritten;
    if (callback === undefined) return;
    this.#touch();
    while (this.#unwritten.length > 0) {
      const [chunk = new Uint8Array(0)] = this.#unwritten;
      const accepted = this.#socket.write(chunk);
      this.bytesWritten += accepted;
      if (accepted < chunk.length) {
        this.#unwritten[0] = chunk.subarray(accepted);
        return;
      }
      this.#unwritten.shift();
    }
    this.#onWritten = undefined;
    callback();
  }

  #onClosed(reason: CloseReason): void {
    if (reason === 'closed' || reason === 'aborted') {
      // Both FINs have passed; what is left to read is still read.
      this.#pump();
      if (this.#onWritten !== undefined) this.destroy();
      return;
    }
    const peer = formatHostPort(this.remoteAddress, this.remotePort);
    this.destroy(new PodwireError(ERROR_CODES[reason], `connection with ${peer}: ${reason}`));
  }

  #touch(): void {
    if (this.timeout > 0) this.#lastActivityAt = this.#clock.now();
  }

  /** One timer at a time; activity only moves a mark, which the timer looks at when it fires. */
  #armTimeout(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => {
      const idleMs = this.#clock.now() - this.#lastActivityAt;
      if (idleMs < this.timeout) this.#armTimeout(this.timeout - idleMs);
      else this.emit('timeout');
    });
  }
}

function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
