import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../../base/linux/abi.ts';
import type { Address, Linux } from '../../base/linux/system-calls.ts';
import { MAX_DATAGRAM_BYTES } from '../datagram-port.ts';
import { MessageVector } from './message-vector.ts';

const MESSAGES = 16;
const VECTORS = 256;

/** UDP_MAX_SEGMENTS of Linux before 6.9 (include/linux/udp.h); twice that since. */
const MAX_SEGMENTS = 64;

/** Packs datagrams for sendmmsg(2) where they lie. May be shared by senders that do not send at the same time. */
export class SendBatch {
  readonly #linux: Linux;
  readonly #messages: MessageVector;
  readonly #datagrams = new Uint16Array(MESSAGES);
  /** Packets are cut off slabs, so the next one probably is where the last one was. */
  #slab: ArrayBufferLike = new ArrayBuffer(0);
  #slabAddress: Address = 0;

  constructor(linux: Linux) {
    this.#linux = linux;
    this.#messages = new MessageVector(linux, MESSAGES, VECTORS);
  }

  /** How many messages the queue's datagrams from `from` on became, as far as they fit. `segments`: use UDP_SEGMENT. */
  pack(queue: readonly Uint8Array[], from: number, segments: boolean): number {
    let at = from;
    let vector = 0;
    let message = 0;
    while (message < MESSAGES && vector < VECTORS && at < queue.length) {
      const most = segments ? Math.min(MAX_SEGMENTS, VECTORS - vector) : 1;
      const count = this.#packRun(queue, at, vector, most);
      const segmentBytes = count > 1 ? (queue[at]?.length ?? 0) : 0;
      this.#messages.setOutgoing(message, vector, count, segmentBytes);
      this.#datagrams[message] = count;
      at += count;
      vector += count;
      message += 1;
    }
    return message;
  }

  /** Of a message packed last. */
  datagramsOf(message: number): number {
    return this.#datagrams[message] ?? 0;
  }

  /** How many messages were sent; -1 with errno set where the first could not be. */
  send(fd: number, messages: number): number {
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return this.#linux.calls.sendmmsg(fd, this.#messages.address, messages, flags);
  }

  /** Datagrams of one size, of which the last may be shorter. Returns how many. */
  #packRun(queue: readonly Uint8Array[], from: number, vector: number, most: number): number {
    const segmentBytes = queue[from]?.length ?? 0;
    let bytes = 0;
    let count = 0;
    while (count < most) {
      const datagram = queue[from + count];
      if (datagram === undefined || datagram.length > segmentBytes) break;
      // An empty one is no segment.
      const isFull = datagram.length === 0 || bytes + datagram.length > MAX_DATAGRAM_BYTES;
      if (count > 0 && isFull) break;
      this.#messages.setVector(vector + count, this.#addressOf(datagram), datagram.length);
      bytes += datagram.length;
      count += 1;
      if (datagram.length < segmentBytes) break;
    }
    return count;
  }

  #addressOf(datagram: Uint8Array): Address {
    const { buffer, byteOffset } = datagram;
    if (buffer !== this.#slab) {
      this.#slab = buffer;
      this.#slabAddress = this.#linux.addressOf(buffer);
    }
    return this.#slabAddress + byteOffset;
  }
}
