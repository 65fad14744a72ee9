// RFC 9293 §3.4: arithmetic modulo 2^32. Sequence numbers are unsigned; comparisons hold within 2^31.

/** How far `a` is ahead of `b`; negative when behind. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

/** The number `bytes` after `seq`. */
export function seqAdd(seq: number, bytes: number): number {
  return (seq + bytes) >>> 0;
}

/** Whether `a` comes before `b`; false for the same. */
export function seqBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** The later of two. */
export function seqMax(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? b : a;
}

/** The earlier of two. */
export function seqMin(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? a : b;
}
