// RFC 9293 §3.4: arithmetic modulo 2^32. Sequence numbers are unsigned; comparisons hold within 2^31.

/** How far `a` is ahead of `b`; negative when behind. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqAdd(seq: number, bytes: number): number {
  return (seq + bytes) >>> 0;
}

export function seqBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqMax(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? b : a;
}

export function seqMin(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? a : b;
}
