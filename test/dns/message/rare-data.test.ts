import dnsPacket, { type Answer } from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { typeCode } from '../../../src/dns/message/codes.ts';
import { parseRecord } from '../../../src/dns/message/zone-file.ts';

function dataOf(type: string, text: string): string {
  const { data } = parseRecord(`x.example.org. 60 IN ${type} ${text}`);
  return data.kind === 'raw' ? Buffer.from(data.bytes).toString('hex') : data.kind;
}

/** Fixed bytes before the data of the only record, named `.`, of a packet. */
const DATA_OFFSET = 12 + 1 + 10;

describe('data as dns-packet writes them', () => {
  const fingerprint = 'ab'.repeat(20);
  const digest = Buffer.from('cd'.repeat(32), 'hex');
  test.each<[string, Answer]>([
    ['"PC" Linux', { type: 'HINFO', name: '.', data: { cpu: 'PC', os: 'Linux' } }],
    [
      '0 issue "ca.example.net"',
      { type: 'CAA', name: '.', data: { flags: 0, tag: 'issue', value: 'ca.example.net' } },
    ],
    [
      `60485 5 2 ${'cd'.repeat(16)} ${'cd'.repeat(16)}`,
      { type: 'DS', name: '.', data: { keyTag: 60_485, algorithm: 5, digestType: 2, digest } },
    ],
    [
      `1 1 ${fingerprint}`,
      { type: 'SSHFP', name: '.', data: { algorithm: 1, hash: 1, fingerprint } },
    ],
    [
      `3 1 1 ${'cd'.repeat(32)}`,
      {
        type: 'TLSA',
        name: '.',
        data: { usage: 3, selector: 1, matchingType: 1, certificate: digest },
      },
    ],
    [
      'admin.example.org. txt.example.org.',
      { type: 'RP', name: '.', data: { mbox: 'admin.example.org', txt: 'txt.example.org' } },
    ],
    [
      '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.org!" .',
      {
        type: 'NAPTR',
        name: '.',
        data: {
          order: 100,
          preference: 10,
          flags: 'u',
          services: 'E2U+sip',
          regexp: '!^.*$!sip:info@example.org!',
          replacement: '.',
        },
      },
    ],
    [
      `257 3 8 ${digest.toString('base64')}`,
      { type: 'DNSKEY', name: '.', data: { flags: 257, algorithm: 8, key: digest } },
    ],
  ])('%s %j', (text, answer) => {
    const packet = dnsPacket.encode({ type: 'response', answers: [answer] });
    expect(dataOf(answer.type, text)).toBe(packet.subarray(DATA_OFFSET).toString('hex'));
  });
});

describe('service parameters: the vectors of RFC 9460 D', () => {
  const FOO_COM = '03666f6f076578616d706c6503636f6d00';
  const FOO_ORG = '03666f6f076578616d706c65036f726700';
  test.each([
    ['SVCB', '0 foo.example.com.', `0000${FOO_COM}`],
    ['HTTPS', '1 .', '000100'],
    ['SVCB', '16 foo.example.com. port=53', `0010${FOO_COM}000300020035`],
    ['SVCB', '1 foo.example.com. key667=hello', `0001${FOO_COM}029b000568656c6c6f`],
    [
      'SVCB',
      String.raw`1 foo.example.com. key667="hello\210qoo"`,
      `0001${FOO_COM}029b000968656c6c6fd2716f6f`,
    ],
    [
      'SVCB',
      '1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"',
      `0001${FOO_COM}0006002020010db800000000000000000000000120010db8000000000000000000530001`,
    ],
    [
      'SVCB',
      '16 foo.example.org. (alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)',
      `0010${FOO_ORG}0000000400010004000100090268320568332d313900040004c0000201`,
    ],
  ])('%s %s', (type, text, hex) => {
    expect(dataOf(type, text)).toBe(hex);
  });

  test.each([
    ['1 . port=53 port=54', "parameter 'port' is given twice"],
    ['1 . port=http', "port 'http' is not a number"],
    ['1 . no-default-alpn=x', 'no-default-alpn takes no value'],
    ['1 . ipv4hint=::1', "'::1' is not an IPv4 address"],
  ])('%s is refused', (text, problem) => {
    expect(() => dataOf('HTTPS', text)).toThrow(problem);
  });
});

test.each([
  ['AFSDB', '1 afs', '00010361667300'],
  ['KX', '10 kx.', '000a026b7800'],
  [
    'URI',
    '10 1 "https://example.org/"',
    '000a0001' + Buffer.from('https://example.org/').toString('hex'),
  ],
  ['CERT', '1 2 3 AAEC', '0001000203000102'],
  ['TYPE731', String.raw`\# 3 abcd ef`, 'abcdef'],
])('%s %s', (type, text, hex) => {
  expect(typeCode(type)).toBeDefined();
  expect(dataOf(type, text)).toBe(hex);
});

test('names are made absolute and their escapes resolved', () => {
  expect(dataOf('RP', String.raw`a\.b.c @`)).toBe('03612e6201630000');
});
