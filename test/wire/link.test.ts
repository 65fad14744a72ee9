// Ethernet, ARP and VXLAN.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeArp, describeArp, emptyArp, encodeArp, ARP_BYTES } from '../../src/wire/arp.ts';
import {
  decodeEthernet,
  describeEthernet,
  emptyEthernet,
  encodeEthernet,
} from '../../src/wire/ethernet.ts';
import { BROADCAST_MAC, formatMac, isGroupMac, parseMac } from '../../src/wire/mac.ts';
import { decodeVxlan, describeVxlan, encodeVxlan } from '../../src/wire/vxlan.ts';
import { hex, toHex } from './hex.ts';

const mac = fc.nat({ max: BROADCAST_MAC });
const ip = fc.integer({ min: 0, max: 0xffff_ffff });

describe('MAC addresses', () => {
  test('text and number are one to one', () => {
    fc.assert(fc.property(mac, (value) => parseMac(formatMac(value)) === value));
    expect(parseMac('0E-2A-0A-F4-01-00')).toBe(0x0e2a0af40100);
  });

  test.each(['', '0e:2a:0a:f4:01', '0e:2a:0a:f4:01:0g', '0e:2a-0a:f4:01:00', '0e2a0af40100'])(
    '%j is no MAC',
    (text) => expect(parseMac(text)).toBeUndefined(),
  );

  test('groups', () => {
    expect(isGroupMac(BROADCAST_MAC)).toBe(true);
    expect(isGroupMac(0x0100_5e00_0001)).toBe(true);
    expect(isGroupMac(0xfeff_ffff_ffff)).toBe(false);
  });
});

describe('Ethernet', () => {
  test('a header reads back', () => {
    fc.assert(
      fc.property(mac, mac, fc.nat({ max: 0xffff }), (destination, source, type) => {
        const bytes = new Uint8Array(16);
        encodeEthernet(bytes, 2, { destination, source, type });
        const out = emptyEthernet();
        expect(decodeEthernet(bytes, 2, 16, out)).toBeUndefined();
        expect(out).toEqual({ destination, source, type });
      }),
    );
  });

  test('13 bytes are no frame', () =>
    expect(decodeEthernet(new Uint8Array(13), 0, 13, emptyEthernet())).toBe('truncated'));

  test('reads like tcpdump', () => {
    const out = emptyEthernet();
    decodeEthernet(hex('0e2a0af40200 0e2a0af40100 0800'), 0, 14, out);
    expect(describeEthernet(out)).toBe('0e:2a:0a:f4:01:00 > 0e:2a:0a:f4:02:00, ethertype 0x0800');
  });
});

describe('ARP', () => {
  const request = hex('0001 0800 06 04 0001 0e2a0af40100 0af40100 000000000000 0af40200');

  test('a request as Linux sends it', () => {
    const out = emptyArp();
    expect(decodeArp(request, 0, request.length, out)).toBeUndefined();
    expect(describeArp(out)).toBe('ARP, Request who-has 10.244.2.0 tell 10.244.1.0');
    expect(describeArp({ ...out, operation: 2 })).toBe(
      'ARP, Reply 10.244.1.0 is-at 0e:2a:0a:f4:01:00',
    );
  });

  test('a packet reads back', () => {
    fc.assert(
      fc.property(mac, ip, mac, ip, (senderMac, senderIp, targetMac, targetIp) => {
        const packet = { operation: 2, senderMac, senderIp, targetMac, targetIp };
        const bytes = new Uint8Array(ARP_BYTES);
        encodeArp(bytes, 0, packet);
        const out = emptyArp();
        expect(decodeArp(bytes, 0, ARP_BYTES, out)).toBeUndefined();
        expect(out).toEqual(packet);
      }),
    );
  });

  test.each([
    ['hardware type', 1, 6],
    ['protocol type', 2, 0x86],
    ['hardware length', 4, 8],
    ['protocol length', 5, 16],
  ])('another %s is unsupported', (_, at, value) => {
    const bytes = request.slice();
    bytes[at] = value;
    expect(decodeArp(bytes, 0, bytes.length, emptyArp())).toBe('unsupported');
  });

  test('27 bytes are truncated', () =>
    expect(decodeArp(request, 0, 27, emptyArp())).toBe('truncated'));
});

describe('VXLAN, as Linux 6.18 judges the header', () => {
  test('emits exactly 08 000000 VNI 00', () => {
    const bytes = new Uint8Array(8).fill(0xff);
    encodeVxlan(bytes, 0, { vni: 0x123456 });
    expect(toHex(bytes)).toBe('0800000012345600');
    expect(describeVxlan({ vni: 1 })).toBe('VXLAN, flags [I] (0x08), vni 1');
  });

  test('the VNI reads back', () => {
    fc.assert(
      fc.property(fc.nat({ max: 0xff_ffff }), (vni) => {
        const bytes = new Uint8Array(8);
        encodeVxlan(bytes, 0, { vni });
        const out = { vni: 0 };
        expect(decodeVxlan(bytes, 0, 8, out)).toBeUndefined();
        expect(out.vni).toBe(vni);
      }),
    );
  });

  test.each([
    ['0800000000000100', undefined],
    ['0000000000000100', 'no-vni-flag'],
    ['8800000000000100', 'reserved-bits'],
    ['0900000000000100', 'reserved-bits'],
    ['0801000000000100', 'reserved-bits'],
    ['0800000100000100', 'reserved-bits'],
    ['0800000000000101', 'reserved-bits'],
    ['08000000000001', 'truncated'],
  ])('%s: %s', (text, verdict) => {
    const bytes = hex(text);
    expect(decodeVxlan(bytes, 0, bytes.length, { vni: 0 })).toBe(verdict);
  });
});
