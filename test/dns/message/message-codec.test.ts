import dnsPacket from 'dns-packet';
import { assert, nat, property, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorCode } from '../../../src/base/errors.ts';
import { RecordType } from '../../../src/dns/message/codes.ts';
import { decodeMessage, readName } from '../../../src/dns/message/decode-message.ts';
import {
  encodeMessage,
  encodeReply,
  MAX_MESSAGE_BYTES,
  uncompressedBytes,
} from '../../../src/dns/message/encode-message.ts';
import {
  addressRecord,
  nameRecord,
  queryFor,
  replyTo,
  resourceRecord,
  type DnsMessage,
  type ResourceRecord,
} from '../../../src/dns/message/message.ts';

const query = queryFor({ name: 'web.example.org.', type: RecordType.A }, { id: 7 });

const RECORDS: readonly ResourceRecord[] = [
  addressRecord('web.example.org.', 30, '192.0.2.1'),
  addressRecord('web.example.org.', 30, '2001:db8::1'),
  nameRecord('alias.example.org.', RecordType.CNAME, 5, 'Web.Example.org.'),
  resourceRecord('example.org.', RecordType.SOA, 5, {
    kind: 'soa',
    mname: 'ns.example.org.',
    rname: 'host\\.master.example.org.',
    serial: 4_000_000_000,
    refreshSeconds: 1,
    retrySeconds: 2,
    expireSeconds: 3,
    minimumSeconds: 4,
  }),
  resourceRecord('_a._tcp.example.org.', RecordType.SRV, 5, {
    kind: 'srv',
    priority: 1,
    weight: 2,
    port: 3,
    target: 'web.example.org.',
  }),
  resourceRecord('example.org.', RecordType.MX, 5, {
    kind: 'mx',
    preference: 10,
    exchange: 'mail.example.org.',
  }),
  resourceRecord('example.org.', RecordType.TXT, 5, {
    kind: 'text',
    strings: ['a b', '\u00ff', ''],
  }),
  resourceRecord('example.org.', 65_280, 5, { kind: 'raw', bytes: Buffer.from([0, 255, 1]) }),
];

function encode(message: DnsMessage, compress = true): Buffer {
  return encodeMessage(message, { maxBytes: MAX_MESSAGE_BYTES, compress }).bytes;
}

describe('messages', () => {
  test.each([true, false])('come back as they were (compressed: %s)', (compress) => {
    const message = replyTo(query, {
      answers: RECORDS,
      authorities: RECORDS.slice(0, 2),
      additionals: RECORDS.slice(3),
      authoritative: true,
      rcode: 16,
      edns: {
        udpBytes: 1232,
        version: 0,
        dnssecOk: true,
        options: [{ code: 10, data: Buffer.from('cookie') }],
      },
    });
    const decoded = decodeMessage(encode(message, compress));
    expect(decoded).toEqual(message);
  });

  test('are what dns-packet reads', () => {
    const bytes = encode(replyTo(query, { answers: RECORDS.slice(0, 6) }));
    const decoded = dnsPacket.decode(bytes);
    expect(decoded.questions).toEqual([{ name: 'web.example.org', type: 'A', class: 'IN' }]);
    expect(
      decoded.answers?.map((answer) => [
        answer.name,
        answer.type,
        'data' in answer ? answer.data : '',
      ]),
    ).toEqual([
      ['web.example.org', 'A', '192.0.2.1'],
      ['web.example.org', 'AAAA', '2001:db8::1'],
      ['alias.example.org', 'CNAME', 'Web.Example.org'],
      ['example.org', 'SOA', expect.objectContaining({ mname: 'ns.example.org', minimum: 4 })],
      [
        '_a._tcp.example.org',
        'SRV',
        { priority: 1, weight: 2, port: 3, target: 'web.example.org' },
      ],
      ['example.org', 'MX', { preference: 10, exchange: 'mail.example.org' }],
    ]);
  });

  test('read what dns-packet writes', () => {
    const bytes = dnsPacket.encode({
      type: 'query',
      id: 99,
      flags: dnsPacket.RECURSION_DESIRED,
      questions: [{ type: 'SRV', name: '_x._udp.example.org' }],
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: 4096,
          flags: dnsPacket.DNSSEC_OK,
          extendedRcode: 0,
          ednsVersion: 0,
          flag_do: true,
          options: [],
        },
      ],
    });
    expect(decodeMessage(bytes)).toMatchObject({
      id: 99,
      recursionDesired: true,
      questions: [{ name: '_x._udp.example.org.', type: RecordType.SRV, class: 1 }],
      edns: { udpBytes: 4096, dnssecOk: true, version: 0 },
    });
  });

  test('compress the owner, and never the target of an SRV', () => {
    const srv = RECORDS[4] as ResourceRecord;
    const plain = encode(replyTo(query, { answers: [srv] }), false).length;
    const compressed = encode(replyTo(query, { answers: [srv] }), true).length;
    // `example.org.` is 13 bytes in the owner and becomes a pointer of 2.
    expect(plain - compressed).toBe(11);
  });

  test('are as long as counted without compression', () => {
    const message = replyTo(query, {
      answers: RECORDS,
      edns: { udpBytes: 512, version: 0, dnssecOk: false, options: [] },
    });
    expect(uncompressedBytes(message)).toBe(encode(message, false).length);
  });
});

describe('replies that must fit', () => {
  const many = Array.from({ length: 60 }, (_, index) =>
    addressRecord('web.example.org.', 5, `192.0.2.${index}`),
  );
  const reply = replyTo(query, { answers: many });
  /** maxBytes, fragmentBytes, records that stay, compressed. */
  const rows = [
    [4096, 4096, 60, false],
    [4096, 1480, 60, true],
    [1232, 1480, 60, true],
    [512, 1480, 29, true],
  ] as const;
  test.each(rows)(
    'in %i bytes (fragments at %i): %i records',
    (maxBytes, fragmentBytes, kept, compressed) => {
      const { bytes, cut } = encodeReply(reply, { maxBytes, fragmentBytes });
      const decoded = decodeMessage(bytes);
      expect(bytes.length).toBeLessThanOrEqual(maxBytes);
      expect(decoded.answers).toHaveLength(kept);
      expect({ cut, tc: decoded.truncated }).toEqual({ cut: kept < 60, tc: kept < 60 });
      expect(bytes.length === uncompressedBytes(decoded)).toBe(!compressed);
    },
  );

  test('keep room for OPT', () => {
    const edns = { udpBytes: 512, version: 0, dnssecOk: false, options: [] };
    const { bytes } = encodeReply({ ...reply, edns }, { maxBytes: 512, fragmentBytes: 1480 });
    expect(bytes.length).toBeLessThanOrEqual(512);
    expect(decodeMessage(bytes).edns).toEqual(edns);
  });

  test('say TC when only the additional section was cut', () => {
    const message = replyTo(query, { answers: many.slice(0, 1), additionals: many });
    const decoded = decodeMessage(
      encodeReply(message, { maxBytes: 512, fragmentBytes: 1480 }).bytes,
    );
    expect(decoded.answers).toHaveLength(1);
    expect(decoded.truncated).toBe(true);
  });
});

describe('names', () => {
  test.each([
    [[3, 0x61, 0x2e, 0x62, 0], 'a\\.b.'],
    [[2, 0x00, 0xff, 0], '\\000\\255.'],
    [[0], '.'],
    [[1, 0x5c, 0], '\\\\.'],
    [[1, 0x41, 1, 0x62, 0], 'A.b.'],
  ])('%j is %s and back', (bytes, name) => {
    expect(readName(Buffer.from(bytes), 0)).toEqual({ name, next: bytes.length });
    const packet = encode(queryFor({ name, type: 1 }));
    expect([...packet.subarray(12, 12 + bytes.length)]).toEqual(bytes);
  });

  test.each([
    ['a pointer to itself', [0xc0, 0x0c]],
    ['two pointers in a circle', [0xc0, 0x0e, 0xc0, 0x0c]],
    ['a label past the end', [63, 1]],
    ['an unknown label type', [0x80, 0]],
    [
      'a name of 256 bytes',
      [...Array.from({ length: 4 }, () => [63, ...Array<number>(63).fill(97)]).flat(), 0],
    ],
  ])('%s is refused', (_, bytes) => {
    const packet = Buffer.concat([
      Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
      Buffer.from(bytes),
      Buffer.from([0, 1, 0, 1]),
    ]);
    expect(() => decodeMessage(packet)).toThrow(/malformed DNS message/);
  });
});

function outcomeOf(read: () => unknown): string {
  try {
    read();
    return 'read';
  } catch (error) {
    return errorCode(error) ?? String(error);
  }
}

test('any bytes are read or refused, never anything else', () => {
  assert(
    property(uint8Array({ maxLength: 200 }), (bytes) => {
      expect(outcomeOf(() => decodeMessage(bytes))).toMatch(/^(?:read|DNS_MALFORMED)$/);
    }),
    { numRuns: 2000, seed: 1 },
  );
});

test('what was read from any bytes is written so that it reads the same', () => {
  assert(
    property(uint8Array({ minLength: 1, maxLength: 60 }), nat(RECORDS.length - 1), (noise, at) => {
      const message = replyTo(query, { answers: [RECORDS[at] as ResourceRecord] });
      const bytes = encode(message);
      for (const [index, byte] of noise.entries()) {
        const place = 12 + ((index * 7 + byte) % (bytes.length - 12));
        bytes[place] = (bytes[place] ?? 0) ^ byte;
      }
      let decoded: DnsMessage;
      try {
        decoded = decodeMessage(bytes);
      } catch {
        return;
      }
      expect(decodeMessage(encode(decoded))).toEqual(decoded);
    }),
    { numRuns: 2000, seed: 2 },
  );
});
