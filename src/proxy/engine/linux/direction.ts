import {
  EAGAIN,
  EINTR,
  ENOBUFS,
  ENOMEM,
  EPOLLERR,
  EPOLLHUP,
  EPOLLPRI,
  EPOLLRDHUP,
  MSG_DONTWAIT,
  MSG_MORE,
  MSG_NOSIGNAL,
  SHUT_WR,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from '../../../base/linux/abi.ts';
import type { Address, SystemCalls } from '../../../base/linux/system-calls.ts';
import { BUFFER_BYTES, type BufferPool } from './buffer-pool.ts';
import { type Pipe, PIPE_BYTES, type PipePool } from './pipe-pool.ts';
import { OUTCOME, type Outcome, type Way } from './way.ts';

/** What a direction needs of its thread. */
export interface DirectionTools {
  readonly calls: SystemCalls;
  readonly pipes: PipePool;
  readonly buffers: BufferPool;
  /** Where every recv lands: BUFFER_BYTES, valid during one step only. */
  readonly scratch: Address;
}

/** Rounds of read and write before other connections get their turn: at most 2 MiB, or 32 MiB spliced. */
const ROUNDS_A_TURN = 32;
/** So many reads of at least BIG_READ in a row, and splice(2) takes over; one splice of less, and it ends. */
export const BIG_READS = 3;
export const BIG_READ = 32_768;
const SMALL_SPLICE = 16_384;
const ENDING = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/**
 * One way through a connection: reads from `from`, writes to `to`. Holds at most one buffer or one pipe of
 * bytes that the sink has not taken, and reads nothing more until they are gone. Both sockets are
 * non-blocking and watched edge-triggered; they belong to the conversation.
 */
export class Direction implements Way {
  readonly #tools: DirectionTools;
  readonly from: number;
  readonly to: number;
  /** Bytes read from `from`. */
  bytes = 0;
  /** FIN has been read. */
  ended = false;
  /** FIN has been passed on: nothing more will happen here. */
  finished = false;

  #readable = false;
  /** Something other than bytes is there: a short read does not mean that there is nothing more. */
  #ending = false;
  /** FIN has come, and nothing but bytes before it: a short read has read them all. */
  #lastBytes = false;
  #writable = true;
  #held: Address = 0;
  #heldFrom = 0;
  #heldTo = 0;
  #pipe: Pipe | undefined;
  #piped = 0;
  #bigReads = 0;

  /** `bigReads`: how many there have been just before. */
  constructor(tools: DirectionTools, from: number, to: number, bigReads = 0) {
    this.#tools = tools;
    this.from = from;
    this.to = to;
    this.#bigReads = bigReads;
  }

  /** Its calls are over when they return. */
  get inFlight(): boolean {
    return false;
  }

  /** True while bytes wait for the sink. */
  get blocked(): boolean {
    return !this.#writable;
  }

  /** Bytes come in bulk, or wait in a pipe or buffer. */
  get inBulk(): boolean {
    return this.#bigReads > 0 || this.#piped > 0 || this.#held !== 0;
  }

  /** `events` as epoll gave them, with at least one that speaks of reading. */
  sourceReady(events: number): void {
    this.#readable = true;
    if ((events & ENDING) !== 0) this.#ending = true;
    // Urgent data (EPOLLPRI) cut a read short, and so does an error.
    const clean = (events & (EPOLLERR | EPOLLPRI)) === 0;
    this.#lastBytes = clean && (events & EPOLLRDHUP) !== 0;
  }

  sinkReady(): void {
    this.#writable = true;
  }

  /**
   * Moves what there is. After a broken outcome only `release` may follow. `last`: the other way is finished, so
   * that both sockets are closed as soon as this one is, which says FIN too.
   */
  move(last: boolean): Outcome {
    for (let round = 0; round < ROUNDS_A_TURN; round += 1) {
      const outcome = this.#step(last);
      if (outcome !== OUTCOME.moved) return outcome;
    }
    return OUTCOME.again;
  }

  /** Gives back what it holds; bytes under way are lost. */
  release(): void {
    if (this.#held !== 0) this.#tools.buffers.giveBack(this.#held);
    this.#held = 0;
    const pipe = this.#pipe;
    this.#pipe = undefined;
    if (pipe === undefined) return;
    if (this.#piped === 0) this.#tools.pipes.giveBack(pipe);
    else this.#tools.pipes.drop(pipe);
  }

  #step(last: boolean): Outcome {
    if (!this.#writable) return OUTCOME.idle;
    if (this.#held !== 0) return this.#sendHeld();
    if (this.#piped > 0) return this.#spliceOut();
    if (this.ended) return this.#finish(last);
    if (!this.#readable) return OUTCOME.idle;
    return this.#bigReads >= BIG_READS ? this.#spliceIn() : this.#copy();
  }

  #copy(): Outcome {
    const { calls, scratch } = this.#tools;
    const length = calls.recv(this.from, scratch, BUFFER_BYTES, MSG_DONTWAIT);
    if (length <= 0) return this.#nothingRead(length);
    this.bytes += length;
    this.#bigReads = length >= BIG_READ ? this.#bigReads + 1 : 0;
    if (length < BUFFER_BYTES) {
      // A stream that gave less than was asked for is empty; the next byte is a new edge (epoll(7)).
      if (!this.#ending) this.#readable = false;
      this.ended = this.#lastBytes;
    }
    // Before an ending the bytes wait for the FIN, which follows at once: one segment instead of two.
    const sent = this.#send(scratch, length, this.ended ? MSG_MORE : 0);
    if (sent < 0) return OUTCOME.sinkBroken;
    if (sent === length) return OUTCOME.moved;
    this.#held = this.#tools.buffers.take();
    this.#heldFrom = 0;
    this.#heldTo = length - sent;
    calls.memcpy(this.#held, scratch + sent, this.#heldTo);
    return OUTCOME.moved;
  }

  #sendHeld(): Outcome {
    const sent = this.#send(this.#held + this.#heldFrom, this.#heldTo - this.#heldFrom, 0);
    if (sent < 0) return OUTCOME.sinkBroken;
    this.#heldFrom += sent;
    if (this.#heldFrom < this.#heldTo) return OUTCOME.moved;
    this.#tools.buffers.giveBack(this.#held);
    this.#held = 0;
    return OUTCOME.moved;
  }

  /** Bytes that the sink took, fewer when it is full; -1 when it is broken. */
  #send(from: Address, length: number, more: number): number {
    const { calls } = this.#tools;
    const sent = calls.send(this.to, from, length, MSG_DONTWAIT | MSG_NOSIGNAL | more);
    if (sent === length) return sent;
    if (sent >= 0) {
      this.#writable = false;
      return sent;
    }
    return this.#sinkMayRecover(calls.errno()) ? 0 : -1;
  }

  #spliceIn(): Outcome {
    const { calls, pipes } = this.#tools;
    this.#pipe ??= pipes.take();
    if (this.#pipe === undefined) {
      this.#bigReads = 0;
      return OUTCOME.moved;
    }
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const length = calls.splice(this.from, 0, this.#pipe.writeFd, 0, PIPE_BYTES, flags);
    if (length <= 0) {
      // The pipe was empty, so EAGAIN speaks of the socket.
      const outcome = this.#nothingRead(length);
      if (outcome !== OUTCOME.sourceBroken) this.#leavePipe();
      return outcome;
    }
    this.bytes += length;
    this.#piped = length;
    if (length < SMALL_SPLICE) this.#bigReads = 0;
    return OUTCOME.moved;
  }

  #spliceOut(): Outcome {
    const { calls } = this.#tools;
    const from = this.#pipe?.readFd ?? -1;
    const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    const length = calls.splice(from, 0, this.to, 0, this.#piped, flags);
    if (length <= 0)
      return this.#sinkMayRecover(calls.errno()) ? OUTCOME.moved : OUTCOME.sinkBroken;
    this.#piped -= length;
    if (this.#piped === 0 && this.#bigReads === 0) this.#leavePipe();
    return OUTCOME.moved;
  }

  #leavePipe(): void {
    if (this.#pipe !== undefined) this.#tools.pipes.giveBack(this.#pipe);
    this.#pipe = undefined;
  }

  #nothingRead(result: number): Outcome {
    if (result === 0) {
      this.ended = true;
      return OUTCOME.moved;
    }
    switch (this.#tools.calls.errno()) {
      case EAGAIN:
        this.#readable = false;
        return OUTCOME.idle;
      case EINTR:
        return OUTCOME.moved;
      case ENOMEM:
      case ENOBUFS:
        return OUTCOME.again;
      default:
        return OUTCOME.sourceBroken;
    }
  }

  /** After a failed write. Short of memory the kernel reports nothing later, so the write is repeated. */
  #sinkMayRecover(errno: number): boolean {
    if (errno === EAGAIN) this.#writable = false;
    return errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ENOMEM;
  }

  #finish(last: boolean): Outcome {
    if (this.finished) return OUTCOME.idle;
    this.finished = true;
    if (last) return OUTCOME.idle;
    return this.#tools.calls.shutdown(this.to, SHUT_WR) === -1 ? OUTCOME.sinkBroken : OUTCOME.idle;
  }
}
