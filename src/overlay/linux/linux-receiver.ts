import { EAGAIN, EINTR, MSG_DONTWAIT } from '../../base/linux/abi.ts';
import { decodeSockaddr } from '../../base/linux/sockaddr.ts';
import type { Linux } from '../../base/linux/system-calls.ts';
import type { DatagramPortOptions } from '../datagram-port.ts';
import { MessageVector } from './message-vector.ts';

/** Messages a call. With generic receive offload each may hold as many datagrams as fit 64 KiB. */
const MESSAGES = 8;

/** What is read in one turn of the loop at most, before others have theirs. */
const MAX_BYTES_A_TURN = 1024 * 1024;
const MAX_CALLS_A_TURN = 32;

const SLOT_BYTES = 64 * 1024;

/** The inner IP header, 22 bytes into a datagram, is 4-byte aligned when that starts here. */
const SLOT_OFFSET = 2;

/** Shorter messages are copied out of their slot, which then takes another; longer ones take the slot with them. */
const COPIED_BELOW_BYTES = 4096;

/** Peers come again and again; more than so many, and the table starts anew. */
const MAX_REMEMBERED_NAMES = 4096;

/**
 * Reads the datagrams of a socket as the callback of a {@link Linux.watch}. What it hands out is memory of JavaScript's
 * own that is never written to again. Does not own the socket.
 */
export class LinuxReceiver {
  readonly #linux: Linux;
  readonly #fd: number;
  readonly #onDatagram: DatagramPortOptions['onDatagram'];
  readonly #messages: MessageVector;
  /** Undefined: was handed out, or never needed. */
  readonly #slots: (Buffer | undefined)[] = new Array<undefined>(MESSAGES);
  /** By address; of IPv4 only. */
  readonly #names = new Map<number, string>();
  #errors = 0;
  #isEnded = false;

  constructor(linux: Linux, fd: number, onDatagram: DatagramPortOptions['onDatagram']) {
    this.#linux = linux;
    this.#fd = fd;
    this.#onDatagram = onDatagram;
    this.#messages = new MessageVector(linux, MESSAGES, MESSAGES);
  }

  get errors(): number {
    return this.#errors;
  }

  /** Hands out nothing from now on. */
  end(): void {
    this.#isEnded = true;
  }

  readonly read = (): void => {
    let bytes = 0;
    for (let call = 0; call < MAX_CALLS_A_TURN && bytes < MAX_BYTES_A_TURN; call += 1) {
      const count = this.#receive();
      for (let index = 0; index < count; index += 1) {
        if (this.#isEnded) return;
        bytes += this.#messages.lengthOf(index);
        this.#take(index);
      }
      // Fewer than there was room for: nothing is left. If something is, the loop calls again.
      if (count < MESSAGES) return;
    }
  };

  /** How many messages came; 0: none, for now. */
  #receive(): number {
    const { calls } = this.#linux;
    for (let index = 0; index < MESSAGES; index += 1) {
      this.#slots[index] ??= this.#newSlot(index);
      this.#messages.setIncoming(index);
    }
    const count = calls.recvmmsg(this.#fd, this.#messages.address, MESSAGES, MSG_DONTWAIT, 0);
    if (count !== -1) return count;
    const errno = calls.errno();
    if (errno !== EAGAIN && errno !== EINTR) this.#errors += 1;
    return 0;
  }

  #take(index: number): void {
    const length = this.#messages.lengthOf(index);
    const segmentBytes = this.#messages.segmentBytesOf(index) || length;
    const from = this.#nameOf(index);
    const bytes = this.#release(index, length);
    if (segmentBytes === length) this.#onDatagram(bytes, from);
    else this.#split(bytes, segmentBytes, from);
  }

  /** Datagrams of one sender that the kernel brought together. */
  #split(bytes: Uint8Array, segmentBytes: number, from: string): void {
    const { buffer, byteOffset, length } = bytes;
    for (let at = 0; at < length && !this.#isEnded; at += segmentBytes) {
      const datagramBytes = Math.min(segmentBytes, length - at);
      this.#onDatagram(new Uint8Array(buffer, byteOffset + at, datagramBytes), from);
    }
  }

  #release(index: number, length: number): Uint8Array {
    const slot = this.#slots[index];
    if (slot === undefined) return Buffer.of();
    if (length < COPIED_BELOW_BYTES) {
      const copy = Buffer.allocUnsafe(length);
      slot.copy(copy, 0, SLOT_OFFSET, SLOT_OFFSET + length);
      return copy;
    }
    this.#slots[index] = undefined;
    return new Uint8Array(slot.buffer, SLOT_OFFSET, length);
  }

  #newSlot(index: number): Buffer {
    const slot = Buffer.allocUnsafeSlow(SLOT_BYTES);
    const address = this.#linux.addressOf(slot.buffer) + SLOT_OFFSET;
    this.#messages.setVector(index, address, SLOT_BYTES - SLOT_OFFSET);
    return slot;
  }

  #nameOf(index: number): string {
    const key = this.#messages.ipv4Of(index);
    if (key === undefined) return decodeSockaddr(this.#messages.nameOf(index)).address;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const { address } = decodeSockaddr(this.#messages.nameOf(index));
    if (this.#names.size >= MAX_REMEMBERED_NAMES) this.#names.clear();
    this.#names.set(key, address);
    return address;
  }
}
