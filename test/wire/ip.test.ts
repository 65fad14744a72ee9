// IPv4, ICMP and UDP.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksumOf, pseudoHeaderSum, sumOf, addSums } from '../../src/wire/checksum.ts';
import {
  decodeIcmp,
  describeIcmp,
  emptyIcmp,
  encodeIcmp,
  type IcmpHeader,
} from '../../src/wire/icmp.ts';
import {
  decodeIpv4,
  decodeQuotedIpv4,
  describeIpv4,
  emptyIpv4,
  encodeIpv4,
} from '../../src/wire/ipv4.ts';
import { decodeUdp, describeUdp, emptyUdp, encodeUdp } from '../../src/wire/udp.ts';
import { hex } from './hex.ts';

const ip = fc.integer({ min: 0, max: 0xffff_ffff });
const uint16 = fc.nat({ max: 0xffff });
const uint8 = fc.nat({ max: 0xff });

const ipv4Header = fc.record({
  source: ip,
  destination: ip,
  protocol: uint8,
  ttl: uint8,
  trafficClass: uint8,
  identification: uint16,
  dontFragment: fc.boolean(),
  moreFragments: fc.boolean(),
  fragmentOffset: fc.nat({ max: 0x1fff }).map((units) => units * 8),
  headerBytes: fc.constant(20),
  totalBytes: fc.integer({ min: 20, max: 64 }),
});

function fixIpv4Checksum(bytes: Uint8Array, headerBytes: number): Uint8Array {
  bytes.fill(0, 10, 12);
  const checksum = checksumOf(bytes, 0, headerBytes);
  bytes.set([checksum >>> 8, checksum & 0xff], 10);
  return bytes;
}

describe('IPv4', () => {
  const sample = hex('4500 001c 1234 4000 4011 0000 c0a80001 c0a800c7 0102030405060708');

  test('a header reads back and its checksum holds', () => {
    fc.assert(
      fc.property(ipv4Header, (header) => {
        const bytes = new Uint8Array(66);
        encodeIpv4(bytes, 2, header);
        const out = emptyIpv4();
        expect(decodeIpv4(bytes, 2, 66, out)).toBeUndefined();
        expect(out).toEqual(header);
      }),
    );
  });

  test('options are tolerated', () => {
    const bytes = new Uint8Array(32);
    encodeIpv4(bytes, 0, { ...emptyIpv4(), totalBytes: 32 });
    bytes[0] = 0x46;
    bytes.set([0x94, 4, 0, 0], 20);
    const out = emptyIpv4();
    expect(decodeIpv4(fixIpv4Checksum(bytes, 24), 0, 32, out)).toBeUndefined();
    expect(out.headerBytes).toBe(24);
  });

  test.each([
    ['19 bytes', 'truncated', (bytes: Uint8Array) => bytes.subarray(0, 19)],
    ['version 6', 'bad-version', (bytes: Uint8Array) => bytes.with(0, 0x65)],
    ['IHL 4', 'bad-header-length', (bytes: Uint8Array) => bytes.with(0, 0x44)],
    ['IHL 15 in 28 bytes', 'bad-header-length', (bytes: Uint8Array) => bytes.with(0, 0x4f)],
    ['total length below IHL', 'bad-total-length', (bytes: Uint8Array) => bytes.with(3, 19)],
    ['total length above frame', 'bad-total-length', (bytes: Uint8Array) => bytes.with(3, 29)],
    ['a flipped bit', 'bad-checksum', (bytes: Uint8Array) => bytes.with(8, 0x41)],
  ])('%s: %s', (_, verdict, damage) => {
    const bytes = damage(fixIpv4Checksum(sample.slice(), 20));
    expect(decodeIpv4(bytes, 0, bytes.length, emptyIpv4())).toBe(verdict);
  });

  test('Ethernet padding after the total length is ignored', () => {
    const padded = new Uint8Array(46);
    padded.set(fixIpv4Checksum(sample.slice(), 20));
    const out = emptyIpv4();
    expect(decodeIpv4(padded, 0, 46, out)).toBeUndefined();
    expect(out.totalBytes).toBe(28);
    expect(describeIpv4(out)).toBe('IP 192.168.0.1 > 192.168.0.199: proto 17, ttl 64, length 28');
  });

  test('a quoted header may promise more bytes than are there', () => {
    const out = emptyIpv4();
    const quoted = fixIpv4Checksum(sample.slice(), 20).with(2, 0x05);
    expect(decodeQuotedIpv4(quoted, 0, 28, out)).toBeUndefined();
    expect([out.totalBytes, out.protocol]).toEqual([0x051c, 17]);
    expect(decodeQuotedIpv4(quoted, 0, 19, out)).toBe('truncated');
    expect(decodeQuotedIpv4(quoted.with(0, 0x4f), 0, 28, out)).toBe('truncated');
  });
});

describe('ICMP', () => {
  test('a message reads back, and a damaged one does not', () => {
    fc.assert(
      fc.property(
        fc.record({ type: uint8, code: uint8, identifier: uint16, sequenceOrMtu: uint16 }),
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(),
        (header, body, damaged) => {
          const bytes = new Uint8Array(8 + body.length);
          bytes.set(body, 8);
          encodeIcmp(bytes, 0, bytes.length, header);
          const out = emptyIcmp();
          expect(decodeIcmp(bytes, 0, bytes.length, out)).toBeUndefined();
          expect(out).toEqual(header);
          const at = damaged % bytes.length;
          bytes[at] = ((bytes[at] ?? 0) + 1) & 0xff;
          expect(decodeIcmp(bytes, 0, bytes.length, out)).toBe('bad-checksum');
        },
      ),
    );
    expect(decodeIcmp(new Uint8Array(7), 0, 7, emptyIcmp())).toBe('truncated');
  });

  test.each<[Partial<IcmpHeader>, string]>([
    [{ type: 8, identifier: 7, sequenceOrMtu: 1 }, 'ICMP echo request, id 7, seq 1'],
    [{ type: 0, identifier: 7, sequenceOrMtu: 1 }, 'ICMP echo reply, id 7, seq 1'],
    [{ type: 3, code: 3 }, 'ICMP port unreachable'],
    [{ type: 3, code: 4, sequenceOrMtu: 1400 }, 'ICMP unreachable - need to frag (mtu 1400)'],
    [{ type: 3, code: 9 }, 'ICMP unreachable code 9'],
    [{ type: 11, code: 0 }, 'ICMP time exceeded in-transit'],
    [{ type: 11, code: 1 }, 'ICMP ip reassembly time exceeded'],
    [{ type: 17, code: 0 }, 'ICMP type 17 code 0'],
  ])('%j reads %s', (fields, text) =>
    expect(describeIcmp({ ...emptyIcmp(), ...fields })).toBe(text),
  );
});

describe('UDP', () => {
  test('a datagram reads back with a checksum that holds and is never 0', () => {
    fc.assert(
      fc.property(uint16, uint16, fc.uint8Array({ maxLength: 200 }), (from, to, payload) => {
        const bytes = new Uint8Array(8 + payload.length);
        bytes.set(payload, 8);
        const header = {
          sourcePort: from,
          destinationPort: to,
          lengthBytes: bytes.length,
          checksum: 0,
        };
        const pseudo = pseudoHeaderSum(0x0a000001, 0x0a000002, 17, bytes.length);
        encodeUdp(bytes, 0, header, pseudo);
        const out = emptyUdp();
        expect(decodeUdp(bytes, 0, bytes.length, out)).toBeUndefined();
        expect(out.checksum).not.toBe(0);
        expect({ ...out, checksum: 0 }).toEqual(header);
        expect(addSums(pseudo, sumOf(bytes, 0, bytes.length))).toBe(0xffff);
      }),
    );
  });

  test.each([
    ['0035 0035 0008', 'truncated'],
    ['0035 0035 0007 0000', 'bad-length'],
    ['0035 0035 0009 0000', 'bad-length'],
  ])('%s: %s', (text, verdict) => {
    const bytes = hex(text);
    expect(decodeUdp(bytes, 0, bytes.length, emptyUdp())).toBe(verdict);
  });

  test('reads like tcpdump', () =>
    expect(
      describeUdp({ sourcePort: 53, destinationPort: 4000, lengthBytes: 20, checksum: 0 }),
    ).toBe('UDP 53 > 4000, length 12'));
});
