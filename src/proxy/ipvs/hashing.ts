import { parseIp } from '../../base/ip.ts';

/** The kernel's multiplicative hash (hash_32, GOLDEN_RATIO_32) of an unsigned 32-bit value. */
export function hash32(value: number, bits: number): number {
  return Math.imul(value, 0x61c8_8647) >>> (32 - bits);
}

/**
 * An address as the 32 bits the schedulers hash: IPv4 as it is, IPv6 as the XOR of its four words.
 * Text that is no address folds to 0; callers have validated it.
 */
export function foldAddress(address: string): number {
  return address.includes(':') ? foldIpv6(address) : foldIpv4(address);
}

function foldIpv4(address: string): number {
  let value = 0;
  let octet = 0;
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === 46) {
      value = (value << 8) | octet;
      octet = 0;
    } else octet = octet * 10 + code - 48;
  }
  return ((value << 8) | octet) >>> 0;
}

function foldIpv6(address: string): number {
  const ip = parseIp(address);
  if (ip === undefined || ip.family === 'IPv4') return 0;
  let folded = 0;
  for (let shift = 0n; shift < 128n; shift += 32n)
    folded ^= Number((ip.value >> shift) & 0xffff_ffffn);
  return folded >>> 0;
}

/**
 * The low 32 bits of SipHash-1-3 over the four little-endian bytes of `value`, both key words being
 * `key`: the kernel's hsiphash_1u32 on 64-bit machines. 64-bit words are kept as (high, low) pairs of int32.
 */
export function hsiphash(key: number, value: number): number {
  let h0 = 0x736f6d65;
  let l0 = 0x70736575 ^ key;
  let h1 = 0x646f7261;
  let l1 = 0x6e646f6d ^ key;
  let h2 = 0x6c796765;
  let l2 = 0x6e657261 ^ key;
  // The message block (length 4 in its top byte) enters v3 before the one compression round.
  const blockHigh = 4 << 24;
  let h3 = 0x74656462 ^ blockHigh;
  let l3 = 0x79746573 ^ key ^ value;
  for (let round = 0; round < 4; round += 1) {
    if (round === 1) {
      h0 ^= blockHigh;
      l0 ^= value;
      l2 ^= 0xff;
    }
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    let low = (l0 + l1) | 0;
    h0 = (h0 + h1 + carry(low, l0)) | 0;
    l0 = low;
    let high = (h1 << 13) | (l1 >>> 19);
    l1 = ((l1 << 13) | (h1 >>> 19)) ^ l0;
    h1 = high ^ h0;
    high = h0;
    h0 = l0;
    l0 = high;
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    low = (l2 + l3) | 0;
    h2 = (h2 + h3 + carry(low, l2)) | 0;
    l2 = low;
    high = (h3 << 16) | (l3 >>> 16);
    l3 = ((l3 << 16) | (h3 >>> 16)) ^ l2;
    h3 = high ^ h2;
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    low = (l0 + l3) | 0;
    h0 = (h0 + h3 + carry(low, l0)) | 0;
    l0 = low;
    high = (h3 << 21) | (l3 >>> 11);
    l3 = ((l3 << 21) | (h3 >>> 11)) ^ l0;
    h3 = high ^ h0;
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    low = (l2 + l1) | 0;
    h2 = (h2 + h1 + carry(low, l2)) | 0;
    l2 = low;
    high = (h1 << 17) | (l1 >>> 15);
    l1 = ((l1 << 17) | (h1 >>> 15)) ^ l2;
    h1 = high ^ h2;
    high = h2;
    h2 = l2;
    l2 = high;
  }
  return (l0 ^ l1 ^ l2 ^ l3) >>> 0;
}

/** 1 when a 32-bit sum wrapped: it is then smaller than either addend, as unsigned numbers. */
function carry(sum: number, addend: number): 0 | 1 {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}

export function greatestCommonDivisor(a: number, b: number): number {
  let larger = a;
  let smaller = b;
  while (smaller !== 0) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}
