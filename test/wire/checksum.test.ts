import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addSums,
  checksumOf,
  pseudoHeaderSum,
  sumOf,
  updateChecksum16,
  updateChecksum32,
} from '../../src/wire/checksum.ts';
import { readUint16, writeUint16, writeUint32 } from '../../src/wire/bytes.ts';
import { hex } from './hex.ts';

/** RFC 1071 §4.1, word for word. */
function naiveSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2)
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}

/** 0x0000 and 0xffff are the same number in one's complement. */
const canonical = (sum: number): number => (sum === 0xffff ? 0 : sum);

describe('known answers', () => {
  test('RFC 1071 §3', () => expect(sumOf(hex('0001 f203 f4f5 f6f7'), 0, 8)).toBe(0xddf2));

  test('an IPv4 header that carries its checksum sums to zero', () => {
    const header = hex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7');
    expect(checksumOf(header, 0, header.length)).toBe(0);
    header.fill(0, 10, 12);
    expect(checksumOf(header, 0, header.length)).toBe(0xb861);
  });

  test('RFC 1624 §4', () => expect(updateChecksum16(0xdd2f, 0x5555, 0x3285)).toBe(0));

  test('the pseudo header is the sum over its twelve bytes', () => {
    const bytes = hex('c0a80001 c0a800c7 0006 05b4');
    expect(pseudoHeaderSum(0xc0a80001, 0xc0a800c7, 6, 0x5b4)).toBe(sumOf(bytes, 0, 12));
  });
});

describe('properties', () => {
  const slab = new Uint8Array(256 * 1024);

  test('any range of a slab or of a small buffer sums as the RFC says', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat(64),
        fc.boolean(),
        (data, offset, inSlab) => {
          const room = inSlab ? slab : new Uint8Array(offset + data.length);
          room.set(data, offset);
          expect(sumOf(room, offset, offset + data.length)).toBe(naiveSum(data));
        },
      ),
    );
  });

  test('64 KiB of 0xff do not overflow', () => {
    const bytes = new Uint8Array(65_535).fill(0xff);
    expect(sumOf(bytes, 0, bytes.length)).toBe(naiveSum(bytes));
  });

  test('sums over adjacent ranges add up', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 400 }), fc.nat(), (data, cut) => {
        const middle = (cut % data.length) & ~1;
        const whole = addSums(sumOf(data, 0, middle), sumOf(data, middle, data.length));
        expect(canonical(whole)).toBe(canonical(naiveSum(data)));
      }),
    );
  });

  test('an incremental update equals a full one', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (data, word, address) => {
          const before = checksumOf(data, 0, 20);
          const oldWord = readUint16(data, 4);
          writeUint16(data, 4, word);
          const afterWord = updateChecksum16(before, oldWord, word);
          expect(canonical(afterWord)).toBe(canonical(checksumOf(data, 0, 20)));
          const oldAddress = new DataView(data.buffer).getUint32(12);
          writeUint32(data, 12, address);
          const afterAddress = updateChecksum32(afterWord, oldAddress, address);
          expect(canonical(afterAddress)).toBe(canonical(checksumOf(data, 0, 20)));
        },
      ),
    );
  });
});
