import { Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { PodwireError } from '../../base/errors.ts';
import { resetStream } from '../../base/reset-stream.ts';
import { AdaptiveBuffer } from './adaptive-buffer.ts';
import type { ReadBuffers } from './read-buffers.ts';
import type { EndHandler, StreamEnd } from './stream-end.ts';

const END = Symbol('end');
const NOTHING = new Uint8Array(0);

type EndStream = Duplex & { [END]?: DuplexEnd };

/**
 * An end over a public Node stream: a net.Socket, or anything else that is a Duplex. Listeners are
 * shared by all ends; the stream knows its end.
 */
export class DuplexEnd implements StreamEnd {
  readonly #stream: EndStream;
  readonly #isSocket: boolean;
  readonly #onEmpty: () => void;
  readonly #memory: AdaptiveBuffer | undefined;
  #handler: EndHandler | undefined;
  #error: Error | undefined;
  #started = false;
  #finishing = false;
  /** We ended it: what the stream says about it is no news. */
  #dropped = false;

  private constructor(stream: Duplex, memory?: AdaptiveBuffer) {
    this.#stream = stream;
    this.#memory = memory;
    this.#isSocket = stream instanceof Socket;
    this.#onEmpty = () => {
      if (!this.#dropped) this.#handler?.drained(this);
    };
    this.#stream[END] = this;
    stream.on('error', onError);
    stream.on('close', onClose);
    stream.on('end', onEnd);
    if (!this.#isSocket) stream.on('drain', this.#onEmpty);
  }

  /** Of an established connection. `stream` must not be flowing yet. */
  static of(stream: Duplex): DuplexEnd {
    return new DuplexEnd(stream);
  }

  /** Of a connection on its way: `connected` follows, now or at the stream's 'connect'. */
  static open(stream: Duplex, handler: EndHandler): DuplexEnd {
    const end = new DuplexEnd(stream);
    end.attach(handler);
    if ('connecting' in stream && stream.connecting === true) stream.once('connect', onConnect);
    else process.nextTick(() => onConnect.call(stream));
    return end;
  }

  /**
   * Of a socket that is to be connected now, reading into a buffer of ours. Node's public API has that for sockets that
   * connect, not for those that are accepted.
   */
  static dial(options: TcpSocketConnectOpts, buffers: ReadBuffers, handler: EndHandler): DuplexEnd {
    const memory = new AdaptiveBuffer(buffers);
    const onread = {
      buffer: () => memory.bytes,
      callback: (length: number) => end.#hearRead(length, memory),
    };
    // The types know `onread` only as an option of `connect`, which takes it from here.
    const socket = new Socket({ allowHalfOpen: true, onread } as SocketConstructorOpts);
    const end: DuplexEnd = new DuplexEnd(socket, memory);
    end.attach(handler);
    socket.once('connect', onConnect);
    socket.connect(options);
    return end;
  }

  attach(handler: EndHandler): void {
    this.#handler = handler;
  }

  start(): void {
    if (this.#dropped || this.#started) return;
    this.#started = true;
    this.#stream.on('data', onData);
    this.#stream.resume();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#dropped) return false;
    const stream = this.#stream;
    if (!this.#isSocket) return stream.write(Buffer.from(chunk));
    stream.write(chunk);
    // Node tries the system call at once: nothing queued means that the kernel has it all.
    if (stream.writableLength === 0) return true;
    stream.write(NOTHING, this.#onEmpty);
    return false;
  }

  resume(): void {
    if (!this.#dropped) this.#stream.resume();
  }

  finish(): void {
    if (this.#dropped || this.#finishing) return;
    this.#finishing = true;
    this.#stream.end();
  }

  reset(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    resetStream(this.#stream);
  }

  close(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    this.#stream.destroy();
  }

  release(): void {
    this.#memory?.release();
  }

  /** From the shared listeners. */
  hear(event: 'connect' | 'end' | 'close'): void {
    if (event === 'close') this.#closed();
    else if (this.#dropped) return;
    else if (event === 'connect') this.#handler?.connected(this);
    else if (this.#hasLostItsPeer()) this.#stream.destroy(resetByPeer());
    else this.#handler?.finished(this);
  }

  hearData(chunk: Uint8Array): boolean {
    return !this.#dropped && this.#handler?.received(this, chunk) === true;
  }

  /** False: reading pauses, and the chunk stays as it is. */
  #hearRead(length: number, memory: AdaptiveBuffer): boolean {
    const goOn = this.hearData(memory.chunk(length));
    if (goOn) memory.taken(length);
    return goOn;
  }

  hearError(error: Error): void {
    this.#error ??= error;
  }

  /**
   * libuv takes a hang-up behind a piece of data for FIN, also when it was a reset: then nobody is at the other end any
   * more. Node asks the kernel only for the names it was not asked for before, which are those of sockets we connected.
   */
  #hasLostItsPeer(): boolean {
    const stream = this.#stream;
    return stream instanceof Socket && !this.#finishing && stream.remoteAddress === undefined;
  }

  #closed(): void {
    const orderly = this.#stream.readableEnded && this.#stream.writableFinished;
    const error = this.#error ?? (orderly ? undefined : new Error('closed without FIN'));
    this.#handler?.closed(this, this.#dropped ? undefined : error);
  }
}

function resetByPeer(): PodwireError {
  return new PodwireError('ECONNRESET', 'read ECONNRESET');
}

function onConnect(this: EndStream): void {
  this[END]?.hear('connect');
}

function onData(this: EndStream, chunk: Uint8Array): void {
  if (this[END]?.hearData(chunk) !== true) this.pause();
}

function onEnd(this: EndStream): void {
  this[END]?.hear('end');
}

function onError(this: EndStream, error: Error): void {
  this[END]?.hearError(error);
}

function onClose(this: EndStream): void {
  this[END]?.hear('close');
}
