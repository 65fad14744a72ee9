import { constants } from 'node:os';
import { AdaptiveBuffer } from './adaptive-buffer.ts';
import type { ReadBuffers } from './read-buffers.ts';
import { socketError } from './socket-error.ts';
import type { EndHandler, StreamEnd } from './stream-end.ts';
import type { PeerName, TcpBinding, TcpHandle, WriteRequest } from './tcp-binding.ts';

const END = Symbol('end');
/** libuv's code for FIN. */
const UV_EOF = -4095;
/** Where names nobody wants are written. */
const NOBODY: PeerName = {};

type EndHandle = TcpHandle & { [END]?: HandleEnd };
type EndRequest = { [END]?: HandleEnd };

/** What ends of one transport share. */
export interface HandleContext {
  readonly binding: TcpBinding;
  readonly buffers: ReadBuffers;
}

/**
 * An end over a bare TCP handle. Reads go to one reused buffer, writes are tried at once; callbacks are shared
 * functions that find the end on the handle. Nothing is allocated a read or a write unless the kernel did not
 * take it all.
 */
export class HandleEnd implements StreamEnd {
  readonly #context: HandleContext;
  readonly #handle: EndHandle;
  #handler: EndHandler | undefined;
  #buffer: AdaptiveBuffer | undefined;
  #write: WriteRequest | undefined;
  #shutdown: 'no' | 'under way' | 'done' = 'no';
  #resetAfterShutdown = false;
  /** Since we sent FIN. */
  #heardAfterShutdown = false;
  #finReceived = false;
  #finDoubted = false;
  #closing = false;
  #closed = false;
  #error: Error | undefined;

  constructor(context: HandleContext, handle: TcpHandle) {
    this.#context = context;
    this.#handle = handle;
    this.#handle[END] = this;
  }

  attach(handler: EndHandler): void {
    this.#handler = handler;
  }

  /** The outcome of a connect that began with this handle. */
  connected(status: number): void {
    if (this.#closing) return;
    if (status === 0) this.#handler?.connected(this);
    else this.fail(status, 'connect');
  }

  start(): void {
    if (this.#closing || this.#buffer !== undefined) return;
    this.#buffer = new AdaptiveBuffer(this.#context.buffers);
    this.#handle.useUserBuffer(this.#buffer.bytes);
    this.#handle.onread = onRead;
    this.#check(this.#handle.readStart(), 'read');
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closing) return false;
    const { binding } = this.#context;
    const request = (this.#write ??= this.#request(binding.createWrite(), onWritten));
    const error = this.#handle.writeBuffer(request, chunk);
    if (error !== 0) {
      this.fail(error, 'write');
      return false;
    }
    if (binding.streamState[binding.lastWriteWasAsyncAt] === 0) return true;
    // The request is the kernel's until it completes.
    this.#write = undefined;
    return false;
  }

  resume(): void {
    if (!this.#closing) this.#check(this.#handle.readStart(), 'read');
  }

  finish(): void {
    if (this.#closing) return;
    // Closing sends FIN too, and nothing more can arrive.
    if (this.#finReceived) this.close();
    else this.#shutDown();
  }

  reset(): void {
    if (this.#closing) return;
    this.#stopReading();
    if (this.#shutdown === 'under way') this.#resetAfterShutdown = true;
    else this.#handle.reset(onClosed);
    this.#closing = true;
  }

  close(): void {
    if (this.#closing) return;
    this.#stopReading();
    this.#closing = true;
    this.#handle.close(onClosed);
  }

  /** From the shared read callback. Returns the buffer for the next read when it changes. */
  hearRead(): Uint8Array | undefined {
    const { binding } = this.#context;
    const result = binding.streamState[binding.readResultAt] ?? 0;
    if (this.#closing || result === 0) return undefined;
    if (result > 0) return this.#received(result);
    if (result !== UV_EOF) this.fail(result, 'read');
    else if (this.#shutdown === 'no' && this.#handle.getpeername(NOBODY) !== 0)
      this.fail(-constants.errno.ECONNRESET, 'read');
    else if (this.#heardAfterShutdown && !this.#finDoubted) this.#doubtFin();
    else this.#finHeard();
    return undefined;
  }

  hearWritten(status: number): void {
    if (this.#closing) return;
    if (status === 0) this.#handler?.drained(this);
    else this.fail(status, 'write');
  }

  hearShutdown(status: number): void {
    this.#shutdown = 'done';
    if (this.#resetAfterShutdown) this.#handle.reset(onClosed);
    else if (this.#closing) return;
    else if (status !== 0) this.fail(status, 'shutdown');
    else if (this.#finReceived) this.close();
  }

  hearClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler?.closed(this, this.#error);
  }

  release(): void {
    this.#buffer?.release();
    this.#buffer = undefined;
  }

  fail(status: number, call: string): void {
    if (this.#closing) return;
    this.#error = socketError(status, call);
    this.#closing = true;
    this.#handle.close(onClosed);
  }

  #finHeard(): void {
    this.#finReceived = true;
    this.#handler?.finished(this);
    if (this.#shutdown === 'done') this.close();
  }

  /**
   * libuv takes a hang-up behind a piece of data for FIN, also when it was a reset. A socket we have not shut down has no
   * peer any more then; of one we have, only reading again tells.
   */
  #doubtFin(): void {
    this.#finDoubted = true;
    this.#check(this.#handle.readStart(), 'read');
  }

  #received(length: number): Uint8Array | undefined {
    if (this.#shutdown !== 'no') this.#heardAfterShutdown = true;
    const buffer = this.#buffer as AdaptiveBuffer;
    if (this.#handler?.received(this, buffer.chunk(length)) === true)
      return buffer.taken(length) ? buffer.bytes : undefined;
    if (!this.#closing) this.#handle.readStop();
    return undefined;
  }

  #shutDown(): void {
    this.#shutdown = 'under way';
    const request = this.#request(this.#context.binding.createShutdown(), onShutdown);
    const status = this.#handle.shutdown(request);
    if (status === 1) this.#shutdown = 'done';
    else if (status !== 0) {
      this.#shutdown = 'no';
      this.fail(status, 'shutdown');
    }
  }

  #stopReading(): void {
    if (this.#buffer !== undefined) this.#handle.readStop();
  }

  #request<R extends WriteRequest>(request: R, complete: R['oncomplete']): R {
    request.oncomplete = complete;
    (request as EndRequest)[END] = this;
    return request;
  }

  #check(status: number, call: string): void {
    if (status !== 0) this.fail(status, call);
  }
}

function onRead(this: EndHandle): Uint8Array | undefined {
  return this[END]?.hearRead();
}

function onClosed(this: EndHandle): void {
  this[END]?.hearClosed();
}

function onWritten(this: EndRequest, status: number): void {
  this[END]?.hearWritten(status);
}

function onShutdown(this: EndRequest, status: number): void {
  this[END]?.hearShutdown(status);
}
