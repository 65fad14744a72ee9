// RFC 1071: the Internet checksum. RFC 1624: its incremental update.
//
// Sums are 16-bit one's-complement sums in network byte order, folded, so that partial sums over ranges
// of even length add up with `addSums`.
import { readUint16 } from './bytes.ts';

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Below this a 32-bit view costs more than it saves. */
const WORDWISE_FROM_BYTES = 64;

/** Buffers of at least this size are slabs that many packets share: their 32-bit view is kept. */
const SLAB_BYTES = 64 * 1024;

/**
 * 32-bit views of the last two slabs seen. Creating a view costs about a quarter of summing 1,448 bytes,
 * and a link has two ends, each with its slab.
 */
const recentViews: { buffer: ArrayBufferLike | undefined; words: Uint32Array }[] = [
  { buffer: undefined, words: new Uint32Array(0) },
  { buffer: undefined, words: new Uint32Array(0) },
];
let oldestView = 0;

/** The sum over `bytes[from, to)`; an odd last byte is padded with zero. */
export function sumOf(bytes: Uint8Array, from: number, to: number): number {
  const isOdd = ((bytes.byteOffset + from) & 1) !== 0;
  if (isOdd || to - from < WORDWISE_FROM_BYTES) return sumBytewise(bytes, from, to);
  return sumWordwise(bytes, from, to);
}

/** What a receiver compares with 0 and a sender stores. */
export function checksumOf(bytes: Uint8Array, from: number, to: number): number {
  return ~sumOf(bytes, from, to) & 0xffff;
}

/** One's-complement addition of two folded sums (or of a sum and a 16-bit word). */
export function addSums(a: number, b: number): number {
  const sum = a + b;
  return (sum & 0xffff) + (sum >>> 16);
}

/** RFC 9293 §3.1, RFC 768: the sum over the IPv4 pseudo header. */
export function pseudoHeaderSum(
  source: number,
  destination: number,
  protocol: number,
  lengthBytes: number,
): number {
  const sum =
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff) +
    protocol +
    lengthBytes;
  return fold(sum);
}

/** RFC 1624 eqn. 3: the checksum after one 16-bit word of the data changed. */
export function updateChecksum16(checksum: number, before: number, after: number): number {
  const sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
  return ~fold(sum) & 0xffff;
}

/** The same for an aligned 32-bit word, such as an address. */
export function updateChecksum32(checksum: number, before: number, after: number): number {
  const high = updateChecksum16(checksum, before >>> 16, after >>> 16);
  return updateChecksum16(high, before & 0xffff, after & 0xffff);
}

function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

function sumBytewise(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  let at = from;
  for (; at + 1 < to; at += 2) sum += readUint16(bytes, at);
  if (at < to) sum += (bytes[at] as number) << 8;
  return fold(sum);
}

/** The order of bytes inside the words does not matter to a one's-complement sum: swapped at the end. */
function sumWordwise(bytes: Uint8Array, from: number, to: number): number {
  const words = wordsOf(bytes.buffer);
  let at = bytes.byteOffset + from;
  const end = bytes.byteOffset + to;
  let ends = 0;
  if ((at & 2) !== 0) {
    ends += readUint16(bytes, from);
    at += 2;
  }
  const middle = sumWords(words, at >> 2, end >> 2);
  let tail = to - (end & 3);
  if (tail + 1 < to) {
    ends += readUint16(bytes, tail);
    tail += 2;
  }
  if (tail < to) ends += (bytes[tail] as number) << 8;
  return fold(ends + (LITTLE_ENDIAN ? ((middle & 0xff) << 8) | (middle >>> 8) : middle));
}

/**
 * The folded sum of whole words. As doubles, which hold 2^21 of them exactly and need no overflow checks: half the
 * time of adding 16-bit halves.
 */
function sumWords(words: Uint32Array, from: number, to: number): number {
  let even = 0;
  let odd = 0;
  let index = from;
  for (const last = to - 7; index < last; index += 8) {
    even += (words[index] as number) + (words[index + 1] as number);
    odd += (words[index + 2] as number) + (words[index + 3] as number);
    even += (words[index + 4] as number) + (words[index + 5] as number);
    odd += (words[index + 6] as number) + (words[index + 7] as number);
  }
  for (; index < to; index += 1) even += words[index] as number;
  // 2^16 is 1 in this arithmetic, and so is 2^32.
  const sum = even + odd;
  const high = Math.floor(sum / 2 ** 32);
  return fold(fold(sum >>> 0) + high);
}

function wordsOf(buffer: ArrayBufferLike): Uint32Array {
  for (const view of recentViews) if (view.buffer === buffer) return view.words;
  const words = new Uint32Array(buffer, 0, buffer.byteLength >> 2);
  const slot = recentViews[oldestView];
  if (buffer.byteLength >= SLAB_BYTES && slot !== undefined) {
    slot.buffer = buffer;
    slot.words = words;
    oldestView ^= 1;
  }
  return words;
}
