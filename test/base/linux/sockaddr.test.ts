import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeSockaddr, encodeSockaddr } from '../../../src/base/linux/sockaddr.ts';

test.each([
  ['192.0.2.1', 443, 16, '020001bbc0000201'],
  ['2001:db8::1', 80, 28, '0a0000500000000020010db8000000000000000000000001'],
])('%s port %i takes %i bytes', (address, port, length, start) => {
  const bytes = new Uint8Array(28);
  expect(encodeSockaddr({ address, port }, bytes)).toBe(length);
  expect(Buffer.from(bytes).toString('hex')).toMatch(new RegExp(`^${start}`));
  expect(decodeSockaddr(bytes)).toEqual({ address, port });
});

test('what is encoded decodes to the same, whatever was there before', () => {
  const address = fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fe80::1', '::ffff:192.0.2.9'));
  fc.assert(
    fc.property(address, fc.nat(65_535), (ip, port) => {
      const bytes = new Uint8Array(28).fill(255);
      encodeSockaddr({ address: ip, port }, bytes);
      expect(decodeSockaddr(bytes)).toEqual({ address: ip, port });
    }),
  );
});

test('refuses what is no address', () => {
  const encode = (): number => encodeSockaddr({ address: 'web', port: 80 }, new Uint8Array(28));
  expect(encode).toThrow('not an IP address: "web"');
});
