import { AF_INET, SOCKADDR, SOL_UDP, UDP_GRO, UDP_SEGMENT } from '../../base/linux/abi.ts';
import type { Address, Linux } from '../../base/linux/system-calls.ts';

/** struct mmsghdr (include/linux/socket.h) in 32-bit words: 64 bytes on 64-bit systems. */
const MESSAGE = {
  words: 16,
  name: 0,
  nameBytes: 2,
  vectors: 4,
  vectorCount: 6,
  control: 8,
  controlBytes: 10,
  length: 14,
} as const;

/** struct iovec (include/uapi/linux/uio.h). */
const VECTOR = { words: 4, base: 0, bytes: 2 } as const;

/** struct cmsghdr with one int: CMSG_LEN(4) is 20, CMSG_SPACE(4) 24; the segment size to send with is a 16-bit one. */
const CONTROL = { words: 6, length: 0, level: 2, type: 3, data: 4 } as const;
const CONTROL_BYTES = 24;
const SEGMENT_CONTROL_LENGTH = 18;

/** Room for a struct sockaddr_in6. */
const NAME_WORDS = 8;
const NAME_BYTES = 28;

const WORD_BYTES = 4;

/**
 * The arguments of recvmmsg(2) and sendmmsg(2): messages, the stretches of memory they lie in, a name and one control
 * message each. In memory of JavaScript's own, which is read and written by the kernel during a call only.
 */
export class MessageVector {
  /** Of the first message. */
  readonly address: Address;
  readonly #words: Uint32Array;
  readonly #vectorsAt: number;
  readonly #controlsAt: number;
  readonly #namesAt: number;

  constructor(linux: Linux, messages: number, vectors: number) {
    this.#vectorsAt = messages * MESSAGE.words;
    this.#controlsAt = this.#vectorsAt + vectors * VECTOR.words;
    this.#namesAt = this.#controlsAt + messages * CONTROL.words;
    this.#words = new Uint32Array(this.#namesAt + messages * NAME_WORDS);
    this.address = linux.addressOf(this.#words.buffer);
  }

  setVector(index: number, address: Address, bytes: number): void {
    const at = this.#vectorsAt + index * VECTOR.words;
    this.#setAddress(at + VECTOR.base, address);
    this.#words[at + VECTOR.bytes] = bytes;
  }

  /** A message of some vectors; `segmentBytes` other than 0: to be cut into datagrams of that size. */
  setOutgoing(message: number, vector: number, vectors: number, segmentBytes: number): void {
    this.#setVectors(message, vector, vectors);
    const words = this.#words;
    const at = message * MESSAGE.words;
    words[at + MESSAGE.controlBytes] = segmentBytes === 0 ? 0 : CONTROL_BYTES;
    if (segmentBytes === 0) return;
    const control = this.#controlsAt + message * CONTROL.words;
    this.#setAddress(at + MESSAGE.control, this.#addressAt(control));
    words[control + CONTROL.length] = SEGMENT_CONTROL_LENGTH;
    words[control + CONTROL.level] = SOL_UDP;
    words[control + CONTROL.type] = UDP_SEGMENT;
    words[control + CONTROL.data] = segmentBytes;
  }

  /** A message to be received into the vector of the same number. */
  setIncoming(message: number): void {
    this.#setVectors(message, message, 1);
    const at = message * MESSAGE.words;
    this.#setAddress(at + MESSAGE.name, this.#addressAt(this.#nameAt(message)));
    this.#setAddress(
      at + MESSAGE.control,
      this.#addressAt(this.#controlsAt + message * CONTROL.words),
    );
    this.#words[at + MESSAGE.nameBytes] = NAME_BYTES;
    this.#words[at + MESSAGE.controlBytes] = CONTROL_BYTES;
  }

  /** Of a message that was received, in bytes. */
  lengthOf(message: number): number {
    return this.#words[message * MESSAGE.words + MESSAGE.length] ?? 0;
  }

  /** What all datagrams of a received message but the last are long; 0: it is one datagram. */
  segmentBytesOf(message: number): number {
    const words = this.#words;
    const control = this.#controlsAt + message * CONTROL.words;
    const isSegmented =
      words[message * MESSAGE.words + MESSAGE.controlBytes] !== 0 &&
      words[control + CONTROL.level] === SOL_UDP &&
      words[control + CONTROL.type] === UDP_GRO;
    return isSegmented ? (words[control + CONTROL.data] ?? 0) : 0;
  }

  /** The struct sockaddr that a message came from, until the next call. */
  nameOf(message: number): Uint8Array {
    return new Uint8Array(this.#words.buffer, this.#nameAt(message) * WORD_BYTES, NAME_BYTES);
  }

  /** The address of {@link nameOf}, in whatever order of bytes; undefined of IPv6. */
  ipv4Of(message: number): number | undefined {
    const at = this.#nameAt(message);
    const isIpv4 = ((this.#words[at] ?? 0) & 0xffff) === AF_INET;
    return isIpv4 ? this.#words[at + SOCKADDR.v4Address / WORD_BYTES] : undefined;
  }

  #setVectors(message: number, vector: number, vectors: number): void {
    const at = message * MESSAGE.words;
    const first = this.#vectorsAt + vector * VECTOR.words;
    this.#setAddress(at + MESSAGE.vectors, this.#addressAt(first));
    this.#words[at + MESSAGE.vectorCount] = vectors;
  }

  #nameAt(message: number): number {
    return this.#namesAt + message * NAME_WORDS;
  }

  #addressAt(word: number): Address {
    return this.address + word * WORD_BYTES;
  }

  #setAddress(at: number, address: Address): void {
    this.#words[at] = address % 2 ** 32;
    this.#words[at + 1] = address / 2 ** 32;
  }
}
