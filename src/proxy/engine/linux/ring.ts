import { EAGAIN, EBUSY, EINTR, EINVAL, ETIME } from '../../../base/linux/abi.ts';
import type { Descriptors } from './descriptors.ts';
import * as abi from './ring-abi.ts';
import {
  type Address,
  errnoError,
  type Linux,
  type Mapping,
  type SystemCalls,
} from '../../../base/linux/system-calls.ts';

const SQ_ENTRIES = 2048;
const CQ_ENTRIES = 16_384;
const NEEDED_FEATURES =
  abi.IORING_FEAT_SINGLE_MMAP |
  abi.IORING_FEAT_NODROP |
  abi.IORING_FEAT_EXT_ARG |
  abi.IORING_FEAT_CQE_SKIP |
  abi.IORING_FEAT_LINKED_FILE;
/** The best first: what a kernel does not know it refuses with EINVAL. */
const SETUP_FLAGS: readonly number[] = [
  abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN | abi.IORING_SETUP_SUBMIT_ALL,
  abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_SUBMIT_ALL,
];
const NANOSECONDS_A_MS = 1_000_000;

/** A completion. Overwritten by the next one. */
export interface Completion {
  /** The two words of user data that the request had. */
  key: number;
  generation: number;
  /** As the system call would have returned it, or the negated errno. */
  result: number;
  flags: number;
}

/**
 * An io_uring: requests are written into memory that the kernel reads, completions are read from memory that it
 * writes, and one io_uring_enter a turn does the rest. Belongs to the thread that made it. Whatever a request points to
 * must stay alive until its completion; that is its sender's to see to. Its memory is its thread's, see {@link MappedMemory}.
 */
export class Ring {
  readonly #calls: SystemCalls;
  readonly #fd: number;
  readonly #ringWords: Int32Array;
  readonly #sqes: Int32Array;
  readonly #argument: Mapping;
  readonly #argumentWords: Int32Array;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqMask: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: number;
  readonly #completion: Completion = { key: 0, generation: 0, result: 0, flags: 0 };
  /** Where the next request goes; the kernel hears of it at the next enter. */
  #tail = 0;

  /** Throws an error with the `code` of io_uring_setup's refusal; EOPNOTSUPP: this kernel's is too old. */
  constructor(linux: Linux, descriptors: Descriptors) {
    this.#calls = linux.calls;
    const { fd, params } = openRing(linux);
    const words = new Int32Array(params.buffer);
    const at = (field: number): number => words[field] ?? 0;
    const sqEntries = at(abi.PARAMS.sqEntries);
    const cqEntries = at(abi.PARAMS.cqEntries);
    this.#fd = descriptors.own(fd);
    const rings = linux.mapShared(
      fd,
      abi.IORING_OFF_SQ_RING,
      Math.max(
        at(abi.PARAMS.sqArray) + sqEntries * 4,
        at(abi.PARAMS.cqes) + cqEntries * abi.CQE.words * 4,
      ),
    );
    this.#ringWords = new Int32Array(rings.buffer);
    const entries = linux.mapShared(fd, abi.IORING_OFF_SQES, sqEntries * abi.SQE.words * 4);
    this.#sqes = new Int32Array(entries.buffer);
    this.#argument = linux.map(abi.GETEVENTS.words * 4);
    this.#argumentWords = new Int32Array(this.#argument.buffer);
    this.#sqHead = at(abi.PARAMS.sqHead) >> 2;
    this.#sqTail = at(abi.PARAMS.sqTail) >> 2;
    this.#sqMask = sqEntries - 1;
    this.#cqHead = at(abi.PARAMS.cqHead) >> 2;
    this.#cqTail = at(abi.PARAMS.cqTail) >> 2;
    this.#cqMask = cqEntries - 1;
    this.#cqes = at(abi.PARAMS.cqes) >> 2;
    // Entries are used in the order of the ring, so the array between them is filled once.
    const array = at(abi.PARAMS.sqArray) >> 2;
    for (let index = 0; index < sqEntries; index += 1) this.#ringWords[array + index] = index;
    params.unmap();
  }

  /** Makes room for so many requests that belong together: a chain must lie in one submission. */
  reserve(count: number): void {
    const used = (this.#tail - Atomics.load(this.#ringWords, this.#sqHead)) | 0;
    if (used + count > this.#sqMask + 1) this.#enter(0, 0);
  }

  /**
   * `flags` of the entry, `priority` and `operationFlags` as the operation has them. The completion comes back with
   * `key` and `generation`.
   */
  push(
    operation: number,
    flags: number,
    priority: number,
    fd: number,
    address: Address,
    length: number,
    operationFlags: number,
    key: number,
    generation: number,
  ): void {
    this.reserve(1);
    const sqes = this.#sqes;
    const at = (this.#tail & this.#sqMask) * abi.SQE.words;
    // The other words of the entry are never written, so they stay zero.
    sqes[at] = operation | (flags << 8) | (priority << 16);
    sqes[at + abi.SQE.fd] = fd;
    sqes[at + abi.SQE.address] = address | 0;
    sqes[at + abi.SQE.address + 1] = Math.floor(address / 2 ** 32);
    sqes[at + abi.SQE.length] = length;
    sqes[at + abi.SQE.operationFlags] = operationFlags;
    sqes[at + abi.SQE.userData] = key;
    sqes[at + abi.SQE.userData + 1] = generation;
    this.#tail = (this.#tail + 1) | 0;
  }

  /**
   * Asks for the end of the request that comes back with `target` and `generation`: it completes as ECANCELED. Where there
   * is none, or it waits for another in its chain, nothing happens and a completion with `key` says so.
   */
  cancel(target: number, generation: number, key: number): void {
    this.reserve(1);
    const at = (this.#tail & this.#sqMask) * abi.SQE.words;
    const flags = abi.IOSQE_CQE_SKIP_SUCCESS;
    this.push(abi.IORING_OP_ASYNC_CANCEL, flags, 0, -1, 0, 0, 0, key, 0);
    // A user_data in the place of an address: both words as they stand.
    this.#sqes[at + abi.SQE.address] = target;
    this.#sqes[at + abi.SQE.address + 1] = generation;
  }

  /** Hands over what has been written and waits: -1 for ever, 0 not at all. An interruption ends it early. */
  submitAndWait(timeoutMs: number): void {
    const ready = Atomics.load(this.#ringWords, this.#cqTail) !== this.#ringWords[this.#cqHead];
    this.#enter(timeoutMs === 0 || ready ? 0 : 1, timeoutMs);
  }

  /** Hands over the completions that there are now, and returns how many. */
  drain(receive: (completion: Completion) => void): number {
    const words = this.#ringWords;
    const completion = this.#completion;
    const tail = Atomics.load(words, this.#cqTail);
    let head = words[this.#cqHead] ?? 0;
    let count = 0;
    while (head !== tail) {
      const at = this.#cqes + (head & this.#cqMask) * abi.CQE.words;
      completion.key = words[at + abi.CQE.userData] ?? 0;
      completion.generation = words[at + abi.CQE.userData + 1] ?? 0;
      completion.result = words[at + abi.CQE.result] ?? 0;
      completion.flags = words[at + abi.CQE.flags] ?? 0;
      head = (head + 1) | 0;
      Atomics.store(words, this.#cqHead, head);
      receive(completion);
      count += 1;
    }
    return count;
  }

  #enter(least: number, timeoutMs: number): void {
    Atomics.store(this.#ringWords, this.#sqTail, this.#tail);
    const waiting = (this.#tail - Atomics.load(this.#ringWords, this.#sqHead)) | 0;
    let flags = abi.IORING_ENTER_GETEVENTS;
    let argument = 0;
    let argumentBytes = 0;
    if (least > 0 && timeoutMs > 0) {
      flags |= abi.IORING_ENTER_EXT_ARG;
      argument = this.#deadline(timeoutMs);
      argumentBytes = abi.GETEVENTS_BYTES;
    }
    const result = this.#calls.syscall(
      abi.SYS_IO_URING_ENTER,
      this.#fd,
      waiting,
      least,
      flags,
      argument,
      argumentBytes,
    );
    if (result !== -1) return;
    const errno = this.#calls.errno();
    // ETIME: the deadline; EAGAIN and EBUSY: short of memory or of room for completions, which the next turn makes.
    if (errno === EINTR || errno === ETIME || errno === EAGAIN || errno === EBUSY) return;
    throw errnoError(errno, 'io_uring_enter');
  }

  #deadline(timeoutMs: number): Address {
    const words = this.#argumentWords;
    const { address } = this.#argument;
    const timespec = address + abi.GETEVENTS.seconds * 4;
    words[abi.GETEVENTS.timespecAddress] = timespec | 0;
    words[abi.GETEVENTS.timespecAddress + 1] = Math.floor(timespec / 2 ** 32);
    words[abi.GETEVENTS.seconds] = Math.floor(timeoutMs / 1000);
    words[abi.GETEVENTS.nanoseconds] = (timeoutMs % 1000) * NANOSECONDS_A_MS;
    return address;
  }
}

/**
 * A ring's descriptor and what the kernel says of it, a struct io_uring_params; both the caller's. Throws an error with
 * the system's code, EOPNOTSUPP when the kernel is too old.
 */
export function openRing(linux: Linux): { fd: number; params: Mapping } {
  const params = linux.map(abi.PARAMS.words * 4);
  try {
    return { fd: setUp(linux.calls, params.address, new Int32Array(params.buffer)), params };
  } catch (error) {
    params.unmap();
    throw error;
  }
}

function setUp(calls: SystemCalls, params: Address, words: Int32Array): number {
  for (const flags of SETUP_FLAGS) {
    words.fill(0);
    words[abi.PARAMS.flags] = flags | abi.IORING_SETUP_CQSIZE;
    words[abi.PARAMS.cqEntries] = CQ_ENTRIES;
    const fd = calls.syscall(abi.SYS_IO_URING_SETUP, SQ_ENTRIES, params, 0, 0, 0, 0);
    if (fd >= 0) {
      const features = words[abi.PARAMS.features] ?? 0;
      if ((features & NEEDED_FEATURES) === NEEDED_FEATURES) return fd;
      calls.close(fd);
      break;
    }
    const errno = calls.errno();
    if (errno !== EINVAL) throw errnoError(errno, 'io_uring_setup');
  }
  throw Object.assign(new Error('this kernel has an io_uring older than 5.19'), {
    code: 'EOPNOTSUPP',
  });
}
