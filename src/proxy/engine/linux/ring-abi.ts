/** io_uring as include/uapi/linux/io_uring.h describes it; the same on x86-64 and arm64. Sizes are 32-bit words. */

// include/uapi/asm-generic/unistd.h, arch/x86/entry/syscalls/syscall_64.tbl
export const SYS_IO_URING_SETUP = 425;
export const SYS_IO_URING_ENTER = 426;

export const IORING_OFF_SQ_RING = 0;
export const IORING_OFF_SQES = 0x10000000;

export const IORING_SETUP_CQSIZE = 0x8;
/** 5.18: one bad entry does not keep those behind it from being submitted. */
export const IORING_SETUP_SUBMIT_ALL = 0x80;
/** 5.19: completions are worked on when the thread is in the kernel anyway. */
export const IORING_SETUP_COOP_TASKRUN = 0x100;
/** 6.0: only the thread that made the ring uses it. */
export const IORING_SETUP_SINGLE_ISSUER = 0x1000;
/** 6.1: completions are worked on when they are waited for. */
export const IORING_SETUP_DEFER_TASKRUN = 0x2000;

/** Both rings lie in one mapping (5.4). */
export const IORING_FEAT_SINGLE_MMAP = 0x1;
/** The kernel keeps completions that find the ring full (5.5). */
export const IORING_FEAT_NODROP = 0x2;
/** io_uring_enter takes a deadline (5.11). */
export const IORING_FEAT_EXT_ARG = 0x100;
/** Success need not be told (5.17). */
export const IORING_FEAT_CQE_SKIP = 0x800;
/** A linked request looks its descriptor up when its turn comes (5.19, as is MSG_WAITALL for send). */
export const IORING_FEAT_LINKED_FILE = 0x1000;

export const IORING_ENTER_GETEVENTS = 0x1;
export const IORING_ENTER_EXT_ARG = 0x8;

export const IORING_OP_POLL_ADD = 6;
export const IORING_OP_POLL_REMOVE = 7;
export const IORING_OP_ASYNC_CANCEL = 14;
export const IORING_OP_SEND = 26;
export const IORING_OP_RECV = 27;

export const IOSQE_IO_LINK = 0x4;
export const IOSQE_CQE_SKIP_SUCCESS = 0x40;

/** In `ioprio` of SEND and RECV: nothing is there yet, so do not try at once. */
export const IORING_RECVSEND_POLL_FIRST = 0x1;
/** In `len` of POLL_ADD: one completion each time, until it is removed. */
export const IORING_POLL_ADD_MULTI = 0x1;

/** There will be another completion for the same request. */
export const IORING_CQE_F_MORE = 0x2;
/** Of RECV: the next one will find something, bytes or FIN. */
export const IORING_CQE_F_SOCK_NONEMPTY = 0x4;

/** struct io_uring_params. */
export const PARAMS = {
  words: 30,
  sqEntries: 0,
  cqEntries: 1,
  flags: 2,
  features: 5,
  /** struct io_sqring_offsets: where, in bytes from the mapping's start. */
  sqHead: 10,
  sqTail: 11,
  sqArray: 16,
  /** struct io_cqring_offsets. */
  cqHead: 20,
  cqTail: 21,
  cqes: 25,
} as const;

/** struct io_uring_sqe. The first word is opcode, flags << 8 and ioprio << 16. */
export const SQE = {
  words: 16,
  first: 0,
  fd: 1,
  address: 4,
  length: 6,
  /** msg_flags, poll32_events. */
  operationFlags: 7,
  userData: 8,
} as const;

/** struct io_uring_cqe: user_data in two words, res, flags. */
export const CQE = { words: 4, userData: 0, result: 2, flags: 3 } as const;

/** struct io_uring_getevents_arg and, behind it, the struct __kernel_timespec that it points to. */
export const GETEVENTS = { words: 10, timespecAddress: 4, seconds: 6, nanoseconds: 8 } as const;
/** Of struct io_uring_getevents_arg alone. */
export const GETEVENTS_BYTES = 24;
