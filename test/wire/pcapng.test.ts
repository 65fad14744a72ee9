import { expect, test } from 'vitest';
import { pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../../src/wire/pcapng.ts';
import { hex, toHex } from './hex.ts';

test('the section header is little-endian, version 1.0, of unknown length', () =>
  expect(toHex(pcapngSectionHeader())).toBe(
    toHex(hex('0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000')),
  ));

test('an interface is Ethernet with nanosecond stamps and a name', () =>
  expect(toHex(pcapngInterface('flannel.1'))).toBe(
    toHex(
      hex(`01000000 30000000 0100 0000 00000000
        0200 0900 666c616e6e656c2e31 000000
        0900 0100 09 000000
        0000 0000
        30000000`),
    ),
  ));

test('a packet carries its stamp, direction and comment, each padded to four bytes', () => {
  const block = pcapngPacket({
    interfaceId: 1,
    timestampNs: 0x1122_3344_5566_7788n,
    direction: 'outbound',
    comment: 'drop',
    bytes: hex('0102030405'),
  });
  expect(toHex(block)).toBe(
    toHex(
      hex(`06000000 3c000000 01000000 44332211 88776655 05000000 05000000
        0102030405 000000
        0100 0400 64726f70
        0200 0400 02000000
        0000 0000
        3c000000`),
    ),
  );
});

test('a packet without options has no option list', () => {
  const block = pcapngPacket({ interfaceId: 0, timestampNs: 1n, bytes: hex('01020304') });
  expect(block.length).toBe(36);
  expect(new DataView(block.buffer).getUint32(32, true)).toBe(36);
});
