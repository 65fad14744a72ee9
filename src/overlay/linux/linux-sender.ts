import {
  EAGAIN,
  ECONNREFUSED,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENOBUFS,
  MSG_DONTWAIT,
} from '../../base/linux/abi.ts';
import { errorCode } from '../../base/errors.ts';
import { errnoError, type Linux, type Watch } from '../../base/linux/system-calls.ts';
import { type DatagramSender, MAX_QUEUED_BYTES, type OnSent } from '../datagram-port.ts';
import type { SendBatch } from './send-batch.ts';

/** So much goes out before the callback that makes more of it has ended. */
const FLUSHED_FROM_BYTES = 128 * 1024;

/** What is read away from a sending socket in one turn: errors, and datagrams that strangers send there. */
const MAX_READS_A_TURN = 32;

/** What Linux says of UDP_SEGMENT where a device cannot checksum or datagrams are above the path's MTU. */
const SEGMENTATION_REFUSALS: readonly number[] = [EIO, EINVAL, EMSGSIZE];

export interface LinuxSenderOptions {
  readonly linux: Linux;
  /** Of the port, which outlives its senders. */
  readonly batch: SendBatch;
  /** Opens the connected socket; throws the system's error. */
  readonly open: () => number;
  readonly onLost: (code: string, datagrams: number) => void;
  readonly onClosed: () => void;
}

/**
 * Sends what one callback brought together with sendmmsg(2), datagrams of one size that follow each other as one message
 * with UDP_SEGMENT. Owns its socket, which is opened when it is first needed, and anew where that failed.
 */
export class LinuxSender implements DatagramSender {
  readonly #options: LinuxSenderOptions;
  readonly #queue: Uint8Array[] = [];
  /** Of the same index. */
  readonly #onSent: (OnSent | undefined)[] = [];
  /** The first that was not sent. */
  #head = 0;
  #queuedBytes = 0;
  #socket: { readonly fd: number; readonly watch: Watch } | undefined;
  #willFlush = false;
  /** The system takes nothing before it says that the socket is writable. */
  #isBlocked = false;
  #usesSegmentation = true;
  /** The last call told of an earlier datagram that nobody took. */
  #wasRefused = false;
  #isClosed = false;

  constructor(options: LinuxSenderOptions) {
    this.#options = options;
  }

  send(datagram: Uint8Array, onSent?: OnSent): boolean {
    if (this.#isClosed || this.#queuedBytes > MAX_QUEUED_BYTES) return false;
    this.#queue.push(datagram);
    this.#onSent.push(onSent);
    this.#queuedBytes += datagram.length;
    if (this.#isBlocked) return true;
    if (this.#queuedBytes >= FLUSHED_FROM_BYTES) this.#flush();
    else if (!this.#willFlush) {
      this.#willFlush = true;
      queueMicrotask(this.#flush);
    }
    return true;
  }

  /** What waits goes out first, unless the system takes nothing. */
  close(): Promise<void> {
    if (!this.#isClosed) this.#flush();
    this.#isClosed = true;
    this.#socket?.watch.close();
    if (this.#socket !== undefined) this.#options.linux.calls.close(this.#socket.fd);
    this.#socket = undefined;
    this.#options.onClosed();
    return Promise.resolve();
  }

  readonly #flush = (): void => {
    this.#willFlush = false;
    while (!this.#isClosed && !this.#isBlocked && this.#head < this.#queue.length) this.#sendSome();
    // Nearly always everything was sent, which costs nothing to take out.
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#onSent.length = 0;
    } else if (this.#head > 0) {
      this.#queue.splice(0, this.#head);
      this.#onSent.splice(0, this.#head);
    }
    this.#head = 0;
  };

  #sendSome(): void {
    const { batch } = this.#options;
    const fd = this.#openedSocket();
    if (fd === undefined) return;
    const messages = batch.pack(this.#queue, this.#head, this.#usesSegmentation);
    const sent = batch.send(fd, messages);
    if (sent === -1) this.#recover(this.#options.linux.calls.errno(), batch.datagramsOf(0));
    else this.#wasRefused = false;
    for (let message = 0; message < sent; message += 1) this.#remove(batch.datagramsOf(message));
  }

  /** After the failure of a message of so many datagrams. */
  #recover(errno: number, datagrams: number): void {
    if (errno === EINTR) return;
    if (errno === EAGAIN || errno === ENOBUFS) this.#block();
    else if (datagrams > 1 && SEGMENTATION_REFUSALS.includes(errno)) this.#usesSegmentation = false;
    else if (errno === ECONNREFUSED && !this.#wasRefused) {
      // Tells of an earlier datagram instead of sending this one.
      this.#wasRefused = true;
      this.#lose(errno, 1);
    } else {
      this.#remove(datagrams);
      this.#lose(errno, datagrams);
    }
  }

  #block(): void {
    this.#isBlocked = true;
    this.#socket?.watch.change({ readable: true, writable: true });
  }

  #lose(errno: number, datagrams: number): void {
    this.#options.onLost(errnoError(errno, 'sendmmsg').code, datagrams);
  }

  #remove(datagrams: number): void {
    const end = this.#head + datagrams;
    for (; this.#head < end; this.#head += 1) {
      const datagram = this.#queue[this.#head];
      if (datagram === undefined) continue;
      this.#queuedBytes -= datagram.length;
      this.#onSent[this.#head]?.(datagram);
    }
  }

  /** Undefined where it cannot be had: then everything that waits is lost. */
  #openedSocket(): number | undefined {
    if (this.#socket !== undefined) return this.#socket.fd;
    const { linux, open, onLost } = this.#options;
    try {
      const fd = open();
      this.#socket = { fd, watch: linux.watch(fd, () => this.#onReady(fd)) };
      return fd;
    } catch (error) {
      const waiting = this.#queue.length - this.#head;
      this.#remove(waiting);
      onLost(errorCode(error) ?? '', waiting);
      return undefined;
    }
  }

  #onReady(fd: number): void {
    if (!this.#isBlocked) {
      this.#readAway(fd);
      return;
    }
    this.#isBlocked = false;
    this.#socket?.watch.change({ readable: true });
    this.#flush();
  }

  #readAway(fd: number): void {
    const { calls } = this.#options.linux;
    for (let read = 0; read < MAX_READS_A_TURN && !this.#isClosed; read += 1) {
      if (calls.recv(fd, 0, 0, MSG_DONTWAIT) !== -1) continue;
      const errno = calls.errno();
      if (errno === EAGAIN) return;
      if (errno !== EINTR) this.#lose(errno, 1);
    }
  }
}
