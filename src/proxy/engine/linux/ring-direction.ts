import {
  EAGAIN,
  ECANCELED,
  EINTR,
  ENOBUFS,
  ENOMEM,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_WAITALL,
  SHUT_WR,
} from '../../../base/linux/abi.ts';
import type { Address } from '../../../base/linux/system-calls.ts';
import { BUFFER_BYTES, type BufferPool } from './buffer-pool.ts';
import { BIG_READ, BIG_READS, Direction, type DirectionTools } from './direction.ts';
import type { Ring } from './ring.ts';
import * as abi from './ring-abi.ts';
import { OUTCOME, type Outcome, type Way } from './way.ts';

/** What completed. Keys of a direction's requests are its base plus twice one of these. */
export const REQUEST = { receive: 0, send: 1, poll: 2, connect: 3 } as const;

/** Of requests whose completions are nobody's. */
export const IGNORED_KEY = -2;

/** Buffer of a direction that has little to say. */
export const SMALL_BYTES = 4096;

export interface RingTools extends DirectionTools {
  readonly ring: Ring;
  readonly smallBuffers: BufferPool;
}

const TRANSIENT: readonly number[] = [EAGAIN, EINTR, ENOBUFS, ENOMEM];

/**
 * One way through a connection over io_uring. At any time at most one request of it is under way, or a chain of two that
 * completes once: SEND of what was received, linked to the next RECV. So backpressure is exact, and there is nothing
 * to queue. Bytes in bulk are moved by a {@link Direction}, with splice(2); the ring then only polls for it.
 *
 * The buffers that a request names are held until its completion. `release` may only follow the last one. A direction that
 * rests has none: its RECV has been cancelled, and a poll stands in for it.
 */
export class RingDirection implements Way {
  readonly #tools: RingTools;
  readonly from: number;
  readonly to: number;
  readonly #key: number;
  readonly #generation: number;
  /** A request is under way, whose completion must be awaited. */
  inFlight = false;

  #received = 0;
  #ended = false;
  #finished = false;
  /** How much had been received when `restIfSilent` asked last. */
  #receivedBefore = -1;
  /** Held while this direction receives; 0 while it rests, or is in bulk. */
  #small: Address = 0;
  /** A big buffer, held as long as reads fill small ones. */
  #big: Address = 0;
  /** Where the next bytes go: one of the two. */
  #into: Address = 0;
  /** What is being sent. */
  #sendFrom: Address = 0;
  #sendLeft = 0;
  #bigReads = 0;
  #bulk: Direction | undefined;

  constructor(tools: RingTools, from: number, to: number, key: number, generation: number) {
    this.#tools = tools;
    this.from = from;
    this.to = to;
    this.#key = key;
    this.#generation = generation;
  }

  get bytes(): number {
    return this.#received + (this.#bulk?.bytes ?? 0);
  }

  /** FIN has been read. */
  get ended(): boolean {
    return this.#ended || this.#bulk?.ended === true;
  }

  /** FIN has been passed on: nothing more will happen here. */
  get finished(): boolean {
    return this.#finished || this.#bulk?.finished === true;
  }

  /** `expected`: bytes have probably come already, so that it pays to look before waiting. */
  start(expected: boolean): void {
    this.#receiveSmall(expected ? 0 : abi.IORING_RECVSEND_POLL_FIRST);
  }

  /**
   * Asked now and then: what nothing has come for since it was asked last gives its buffers back, as soon as the kernel
   * lets go of them. True: it holds some.
   */
  restIfSilent(): boolean {
    if (this.#small === 0) return false;
    const isSilent = this.#received === this.#receivedBefore;
    this.#receivedBefore = this.#received;
    // Not while a SEND is under way: then the RECV behind it cannot be found.
    if (isSilent && this.inFlight)
      this.#tools.ring.cancel(this.#key + 2 * REQUEST.receive, this.#generation, IGNORED_KEY);
    return true;
  }

  /** A request has completed. `last`: the other way is finished, see {@link Direction.move}. */
  completed(request: number, result: number, flags: number, last: boolean): Outcome {
    this.inFlight = false;
    if (request === REQUEST.receive) return this.#receiveCompleted(result, flags, last);
    if (request === REQUEST.send) return this.#sendCompleted(result, last);
    if (this.#bulk === undefined) {
      this.#receiveSmall(0);
      return OUTCOME.idle;
    }
    if (this.#bulk.blocked) this.#bulk.sinkReady();
    else this.#bulk.sourceReady(result);
    return this.moveBulk(last);
  }

  /** Goes on with bytes in bulk, if there are any. */
  moveBulk(last: boolean): Outcome {
    const bulk = this.#bulk;
    if (bulk === undefined || this.inFlight) return OUTCOME.idle;
    const outcome = bulk.move(last);
    if (outcome !== OUTCOME.idle || bulk.finished) return outcome;
    if (bulk.blocked) this.#poll(this.to, EPOLLOUT);
    else if (bulk.inBulk) this.#poll(this.from, EPOLLIN | EPOLLRDHUP);
    else this.#leaveBulk(bulk);
    return OUTCOME.idle;
  }

  /** Gives back what it holds; bytes under way are lost. */
  release(): void {
    this.#bulk?.release();
    this.#giveBackBuffers();
  }

  #receiveCompleted(result: number, flags: number, last: boolean): Outcome {
    // The SEND before this RECV is over too.
    if (this.#into === this.#small) this.#giveBackBig();
    if (result === 0) return this.#finish(last);
    if (result === -ECANCELED) {
      this.#giveBackBuffers();
      this.#poll(this.from, EPOLLIN | EPOLLRDHUP);
      return OUTCOME.idle;
    }
    if (result < 0) {
      if (!TRANSIENT.includes(-result)) return OUTCOME.sourceBroken;
      this.#receive(abi.IORING_RECVSEND_POLL_FIRST);
      return OUTCOME.idle;
    }
    this.#received += result;
    this.#sendFrom = this.#into;
    this.#sendLeft = result;
    this.#bigReads = result >= BIG_READ ? this.#bigReads + 1 : 0;
    if (this.#bigReads >= BIG_READS) {
      this.#send(0, 0);
      return OUTCOME.idle;
    }
    this.#chooseBuffer(result);
    this.#sendAndReceive((flags & abi.IORING_CQE_F_SOCK_NONEMPTY) !== 0);
    return OUTCOME.idle;
  }

  /** Of a SEND with a RECV behind it only a failure is told, and then the RECV did not happen. */
  #sendCompleted(result: number, last: boolean): Outcome {
    if (result < 0 && !TRANSIENT.includes(-result)) return OUTCOME.sinkBroken;
    const sent = Math.max(result, 0);
    this.#sendFrom += sent;
    this.#sendLeft -= sent;
    if (this.#bigReads < BIG_READS) {
      this.#sendAndReceive(false);
      return OUTCOME.idle;
    }
    if (this.#sendLeft === 0) return this.#startBulk(last);
    this.#send(0, 0);
    return OUTCOME.idle;
  }

  /** Of a direction that holds no buffer. */
  #receiveSmall(priority: number): void {
    this.#small = this.#tools.smallBuffers.take();
    this.#into = this.#small;
    this.#receive(priority);
  }

  #receive(priority: number): void {
    this.inFlight = true;
    const { ring } = this.#tools;
    const bytes = this.#into === this.#small ? SMALL_BYTES : BUFFER_BYTES;
    const key = this.#key + 2 * REQUEST.receive;
    ring.push(
      abi.IORING_OP_RECV,
      0,
      priority,
      this.from,
      this.#into,
      bytes,
      0,
      key,
      this.#generation,
    );
  }

  #send(entryFlags: number, messageFlags: number): void {
    this.inFlight = true;
    this.#tools.ring.push(
      abi.IORING_OP_SEND,
      entryFlags,
      0,
      this.to,
      this.#sendFrom,
      this.#sendLeft,
      MSG_NOSIGNAL | MSG_WAITALL | messageFlags,
      this.#key + 2 * REQUEST.send,
      this.#generation,
    );
  }

  /** `more`: the next RECV will find something at once, so what is sent now may wait for that. */
  #sendAndReceive(more: boolean): void {
    this.#tools.ring.reserve(2);
    this.#send(abi.IOSQE_IO_LINK | abi.IOSQE_CQE_SKIP_SUCCESS, more ? MSG_MORE : 0);
    this.#receive(more ? 0 : abi.IORING_RECVSEND_POLL_FIRST);
  }

  #poll(fd: number, events: number): void {
    this.inFlight = true;
    const key = this.#key + 2 * REQUEST.poll;
    this.#tools.ring.push(abi.IORING_OP_POLL_ADD, 0, 0, fd, 0, 0, events, key, this.#generation);
  }

  /** A read that fills the small buffer asks for a big one; one that would have fitted gives it back. */
  #chooseBuffer(received: number): void {
    if (received < SMALL_BYTES) this.#into = this.#small;
    else {
      if (this.#big === 0) this.#big = this.#tools.buffers.take();
      this.#into = this.#big;
    }
  }

  #startBulk(last: boolean): Outcome {
    this.#giveBackBuffers();
    this.#bigReads = 0;
    this.#bulk = new Direction(this.#tools, this.from, this.to, BIG_READS);
    this.#bulk.sourceReady(EPOLLIN);
    return this.moveBulk(last);
  }

  #leaveBulk(bulk: Direction): void {
    this.#received += bulk.bytes;
    bulk.release();
    this.#bulk = undefined;
    this.#receiveSmall(abi.IORING_RECVSEND_POLL_FIRST);
  }

  #giveBackBig(): void {
    if (this.#big !== 0) this.#tools.buffers.giveBack(this.#big);
    this.#big = 0;
    this.#into = this.#small;
  }

  #giveBackBuffers(): void {
    this.#giveBackBig();
    if (this.#small !== 0) this.#tools.smallBuffers.giveBack(this.#small);
    this.#small = 0;
  }

  #finish(last: boolean): Outcome {
    this.#ended = true;
    this.#finished = true;
    this.#giveBackBuffers();
    if (last) return OUTCOME.idle;
    return this.#tools.calls.shutdown(this.to, SHUT_WR) === -1 ? OUTCOME.sinkBroken : OUTCOME.idle;
  }
}
