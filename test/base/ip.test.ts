import { describe, expect, test } from 'vitest';
import {
  cidrContains,
  cidrEncloses,
  cidrsOverlap,
  formatCidr,
  formatHostPort,
  formatIp,
  parseCidr,
  parseIp,
} from '../../src/base/ip.ts';

describe('addresses', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::', 'fe80::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ])('%s reads back as %s', (text, canonical) => {
    const ip = parseIp(text);
    expect(ip && formatIp(ip)).toBe(canonical);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.x',
    ':::',
    '1::2::3',
    'g::',
  ])('%j is no address', (text) => expect(parseIp(text)).toBeUndefined());
});

describe('blocks', () => {
  const cidr = (text: string) => {
    const parsed = parseCidr(text);
    if (parsed === undefined) throw new Error(`${text} is no CIDR`);
    return parsed;
  };

  test.each(['10.0.0.0/8', '0.0.0.0/0', '10.1.2.3/32', '2001:db8::/32', '::/0'])('%s', (text) =>
    expect(formatCidr(cidr(text))).toBe(text),
  );

  test.each(['10.0.0.1/8', '10.0.0.0/33', '10.0.0.0', '10.0.0.0/8/8', '2001:db8::1/64', '::/129'])(
    '%s is refused',
    (text) => expect(parseCidr(text)).toBeUndefined(),
  );

  test('host bits are dropped on request', () => {
    const parsed = parseCidr('10.1.2.3/8', { allowHostBits: true });
    expect(parsed && formatCidr(parsed)).toBe('10.0.0.0/8');
  });

  test('containment', () => {
    const inside = parseIp('127.244.3.9');
    expect(inside && cidrContains(cidr('127.244.0.0/16'), inside)).toBe(true);
    expect(inside && cidrContains(cidr('127.96.0.0/16'), inside)).toBe(false);
    expect(inside && cidrContains(cidr('::/0'), inside)).toBe(false);
    expect(cidrEncloses(cidr('10.0.0.0/8'), cidr('10.1.0.0/16'))).toBe(true);
    expect(cidrEncloses(cidr('10.1.0.0/16'), cidr('10.0.0.0/8'))).toBe(false);
    expect(cidrsOverlap(cidr('10.1.0.0/16'), cidr('10.0.0.0/8'))).toBe(true);
    expect(cidrsOverlap(cidr('10.1.0.0/16'), cidr('10.2.0.0/16'))).toBe(false);
  });

  test('host and port', () => {
    expect(formatHostPort('127.0.0.1', 80)).toBe('127.0.0.1:80');
    expect(formatHostPort('::1', 80)).toBe('[::1]:80');
  });
});
