import dnsPacket from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { MessageCutter } from '../../../src/bench/live/message-cutter.ts';
import { messageFormat } from '../../../src/bench/live/message-format.ts';
import {
  podAddress,
  podIndex,
  sourceAddress,
  sourceIndex,
} from '../../../src/bench/scenario/network-plan.ts';

for (const protocol of ['TCP', 'HTTP', 'UDP'] as const)
  describe(`${protocol} messages`, () => {
    const format = messageFormat(protocol);

    test('have the length they promise and carry their numbers', () => {
      const request = Buffer.from(format.request(0x7fff_ffff), 'latin1');
      expect(request).toHaveLength(format.requestBytes);
      expect(format.requestId(request, 0)).toBe(0x7fff_ffff);
      for (const backend of [0, 9999, -1]) {
        const response = Buffer.from(`xx${format.response(12, backend)}`, 'latin1');
        expect(response).toHaveLength(format.responseBytes + 2);
        expect(format.responseId(response, 2)).toBe(12);
        expect(format.responseBackend(response, 2)).toBe(backend);
      }
    });

    test('are cut from a stream however it is divided', () => {
      const stream = Buffer.from(
        [1, 2, 3, 4, 5].map((id) => format.request(id)).join(''),
        'latin1',
      );
      for (const size of [1, 7, format.requestBytes, format.requestBytes + 3, stream.length]) {
        const cutter = new MessageCutter(format.requestBytes);
        const ids: number[] = [];
        for (let from = 0; from < stream.length; from += size)
          cutter.push(stream.subarray(from, from + size), (bytes, offset) => {
            ids.push(format.requestId(bytes, offset));
          });
        expect(ids).toEqual([1, 2, 3, 4, 5]);
      }
    });
  });

test('HTTP messages are HTTP/1.1 with a true content length', () => {
  const format = messageFormat('HTTP');
  expect(format.request(1)).toMatch(/^GET \/\S+ HTTP\/1\.1\r\nHost: \S+\r\n\r\n$/);
  for (const backend of [3, -1]) {
    const [head, body] = format.response(1, backend).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 (?:200|503) /);
    expect(Number(/Content-Length: (\d+)/.exec(head ?? '')?.[1])).toBe(body?.length);
  }
});

test('UDP messages are DNS queries and their answers', () => {
  const format = messageFormat('UDP');
  const decoded = (text: string): dnsPacket.DecodedPacket =>
    dnsPacket.decode(Buffer.from(text, 'latin1'));
  const question = { type: 'A', class: 'IN', name: '000000ab.bench' };
  expect(decoded(format.request(0xab))).toMatchObject({ type: 'query', questions: [question] });
  expect(decoded(format.response(0xab, 0x0102))).toMatchObject({
    type: 'response',
    rcode: 'NOERROR',
    questions: [question],
    answers: [{ type: 'A', name: '000000ab.bench', data: '10.0.1.2' }],
  });
  expect(decoded(format.response(0xab, -1))).toMatchObject({ rcode: 'SERVFAIL' });
});

test('sources are found again by their address', () => {
  for (const index of [0, 1, 249, 250, 100_000])
    expect(sourceIndex(sourceAddress(index))).toBe(index);
  expect(sourceIndex('127.0.0.1')).toBe(0);
});

test('pods are found again by their address', () => {
  for (const index of [0, 249, 250, 9999]) expect(podIndex(podAddress(index).address)).toBe(index);
});
