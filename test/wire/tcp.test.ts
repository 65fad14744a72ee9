import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addSums, pseudoHeaderSum, sumOf } from '../../src/wire/checksum.ts';
import {
  decodeTcp,
  describeTcp,
  emptyTcp,
  encodeTcp,
  tcpChecksumAt,
  TcpFlag,
  type TcpHeader,
  tcpHeaderBytes,
} from '../../src/wire/tcp.ts';
import { hex, toHex } from './hex.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const uint16 = fc.nat({ max: 0xffff });

/** Every combination that fits 40 option bytes. */
const tcpHeader: fc.Arbitrary<TcpHeader> = fc
  .record({
    sourcePort: uint16,
    destinationPort: uint16,
    seq: uint32,
    ack: uint32,
    flags: fc.nat({ max: 0xff }),
    window: uint16,
    mss: uint16,
    windowScale: fc.integer({ min: -1, max: 14 }),
    sackPermitted: fc.boolean(),
    hasTimestamps: fc.boolean(),
    timestampValue: uint32,
    timestampEcho: uint32,
    sackCount: fc.nat({ max: 4 }),
    edges: fc.array(uint32, { minLength: 8, maxLength: 8 }),
  })
  .map(({ edges, ...fields }) => ({
    ...fields,
    headerBytes: 20,
    sackEdges: Uint32Array.from(edges),
  }))
  .filter((header) => tcpHeaderBytes(header) <= 60);

/** Only what the flags and counts of the record say is there. */
function meaning(header: TcpHeader): unknown {
  return {
    ...header,
    timestampValue: header.hasTimestamps ? header.timestampValue : 0,
    timestampEcho: header.hasTimestamps ? header.timestampEcho : 0,
    sackEdges: [...header.sackEdges.subarray(0, 2 * header.sackCount)],
  };
}

describe('round trip', () => {
  test('a segment reads back with a checksum that holds', () => {
    fc.assert(
      fc.property(tcpHeader, fc.uint8Array({ maxLength: 100 }), (header, payload) => {
        const headerBytes = tcpHeaderBytes(header);
        const bytes = new Uint8Array(headerBytes + payload.length);
        bytes.set(payload, headerBytes);
        const pseudo = pseudoHeaderSum(0x0a000001, 0x0a000002, 6, bytes.length);
        expect(encodeTcp(bytes, 0, bytes.length, header, pseudo)).toBe(headerBytes);
        expect(addSums(pseudo, sumOf(bytes, 0, bytes.length))).toBe(0xffff);
        const out = emptyTcp();
        expect(decodeTcp(bytes, 0, bytes.length, out)).toBeUndefined();
        expect(meaning(out)).toEqual(meaning({ ...header, headerBytes }));
      }),
    );
  });

  test('a SYN as Linux lays it out', () => {
    // options: MSS 1410, SACK permitted, timestamps, NOP, window scale 7
    const bytes = hex(`
      a5d4 0050 1d4e7f21 00000000 a0 02 fb40 0000 0000
      0204 0582 0402 080a 8f0c5a10 00000000 01 0303 07`);
    const out = emptyTcp();
    expect(decodeTcp(bytes, 0, bytes.length, out)).toBeUndefined();
    expect(describeTcp(out, 0)).toBe(
      'TCP 42452 > 80: Flags [S], seq 491683617, win 64320, ' +
        'options [mss 1410,sackOK,TS val 2399951376 ecr 0,wscale 7], length 0',
    );
  });

  test('a data segment with timestamps and SACK is laid out with leading NOPs', () => {
    const header = {
      ...emptyTcp(),
      sourcePort: 80,
      destinationPort: 42452,
      seq: 1,
      ack: 2,
      flags: TcpFlag.ack | TcpFlag.psh,
      window: 3,
      hasTimestamps: true,
      timestampValue: 4,
      timestampEcho: 5,
      sackCount: 1,
      sackEdges: Uint32Array.of(6, 7, 0, 0, 0, 0, 0, 0),
    };
    const bytes = new Uint8Array(tcpHeaderBytes(header) + 2);
    encodeTcp(bytes, 0, bytes.length, header, 0);
    const checksum = tcpChecksumAt(bytes, 0).toString(16).padStart(4, '0');
    expect(toHex(bytes)).toBe(
      toHex(
        hex(`0050 a5d4 00000001 00000002 b0 18 0003 ${checksum} 0000
          0101080a 00000004 00000005 0101050a 00000006 00000007 0000`),
      ),
    );
    expect(describeTcp(header, 2)).toBe(
      'TCP 80 > 42452: Flags [P.], seq 1:3, ack 2, win 3, options [TS val 4 ecr 5,sack {6:7}], length 2',
    );
  });
});

describe('malformed and odd headers', () => {
  const withOptions = (options: string): Uint8Array => {
    const body = hex(options);
    const bytes = new Uint8Array(20 + body.length);
    bytes.set(body, 20);
    bytes[12] = ((20 + body.length) / 4) << 4;
    return bytes;
  };
  const decode = (bytes: Uint8Array): { error: string | undefined; header: TcpHeader } => {
    const header = emptyTcp();
    return { error: decodeTcp(bytes, 0, bytes.length, header), header };
  };

  test.each([
    ['19 bytes', new Uint8Array(19), 'truncated'],
    ['data offset 4', new Uint8Array(20).with(12, 0x40), 'bad-data-offset'],
    ['data offset beyond the segment', new Uint8Array(20).with(12, 0x60), 'bad-data-offset'],
    ['option length 0', withOptions('02000000'), 'bad-option'],
    ['option length 1', withOptions('08010000'), 'bad-option'],
    ['option beyond the header', withOptions('01010305'), 'bad-option'],
    ['option kind as the last byte', withOptions('01010102'), 'bad-option'],
  ])('%s', (_, bytes, error) => expect(decode(bytes).error).toBe(error));

  test('options after the end mark are not read', () =>
    expect(decode(withOptions('00000000 020405b4')).header.mss).toBe(0));

  test('unknown options and wrong lengths are skipped', () => {
    const { error, header } = decode(withOptions('fe04abcd 0206ffff ffff0101 0204 05b4'));
    expect([error, header.mss]).toEqual([undefined, 1460]);
  });

  test('the record forgets the options of the segment before', () => {
    const header = emptyTcp();
    const first = withOptions('020405b4 04020303 07010101');
    expect(decodeTcp(first, 0, first.length, header)).toBeUndefined();
    expect([header.mss, header.windowScale, header.sackPermitted]).toEqual([1460, 7, true]);
    decodeTcp(withOptions(''), 0, 20, header);
    expect([header.mss, header.windowScale, header.sackPermitted]).toEqual([0, -1, false]);
  });
});
