import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { Lifetime } from '../../../src/base/lifetime.ts';
import { decodeMessage } from '../../../src/dns/message/decode-message.ts';
import type { DnsMessage } from '../../../src/dns/message/message.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import { DEFAULT_TCP_LIMITS } from '../../../src/dns/server/tcp-listener.ts';
import { clusterSource } from '../cluster-fixture.ts';
import { ask, exchange, exchangeOverTcp, queryBytes, startTestServer } from '../dns-fixture.ts';
import { until } from '../../support/until.ts';

const COREFILE = `
cluster.local:53 {
  kubernetes
}
example.org:53 {
}
`;
const SVC1 = 'svc1.testns.svc.cluster.local.';
const BIG = 'big.testns.svc.cluster.local.';

function edns(
  udpBytes: number,
  parts: Partial<NonNullable<DnsMessage['edns']>> = {},
): Partial<DnsMessage> {
  return { edns: { udpBytes, version: 0, dnssecOk: false, options: [], ...parts } };
}

/** The query with bytes of its header changed. */
function withHeader(bytes: Record<number, number>, packet = queryBytes(SVC1)): Buffer {
  const changed = Buffer.from(packet);
  for (const [offset, byte] of Object.entries(bytes)) changed[Number(offset)] = byte;
  return changed;
}

describe('on the wire', () => {
  const lifetime = new Lifetime('wire tests');
  let server: DnsServer;
  let port = 0;
  beforeAll(async () => {
    server = lifetime.own(await startTestServer(COREFILE, { source: clusterSource() }));
    port = server.addresses[0]?.port ?? 0;
  });
  afterAll(() => lifetime[Symbol.asyncDispose]());

  /** Flags and rcode of the reply as two hexadecimal bytes. */
  const REJECTED = [
    ['opcode STATUS', { 2: 0x11 }, '9104'],
    ['opcode UPDATE', { 2: 0x28 }, 'a804'],
    ['no question', { 5: 0 }, '8101'],
    ['two questions', { 5: 2 }, '8101'],
    ['two answers', { 7: 2 }, '8101'],
    ['two authorities', { 9: 2 }, '8101'],
    ['three additionals', { 11: 3 }, '8101'],
    ['a label that runs out of the packet', { 12: 60 }, '8101'],
  ] as const;
  test.each(REJECTED)('%s is rejected without the question', async (_, header, flags) => {
    const reply = await exchange(port, withHeader(header));
    expect(reply.toString('hex')).toBe(`1267${flags}${'0'.repeat(16)}`);
  });

  test('responses and stubs of headers get no reply', async () => {
    const last = queryBytes(SVC1, 'A', { id: 1 });
    const replies = await exchange(port, [
      withHeader({ 2: 0x81 }),
      Buffer.from('12678100', 'hex'),
      last,
    ]);
    expect(replies.readUInt16BE(0)).toBe(1);
  });

  test('other classes and zones nobody serves are refused', async () => {
    const chaos = withHeader({}, queryBytes(SVC1));
    chaos[chaos.length - 1] = 3;
    const packets = [chaos, queryBytes('www.example.com.'), queryBytes('www.example.org.')];
    for (const packet of packets) {
      const reply = decodeMessage(await exchange(port, packet));
      expect(reply).toMatchObject({ rcode: 5, authoritative: false, questions: [{}] });
    }
  });

  test('EDNS comes back as it was sent, with the options that are known', async () => {
    const cookie = { code: 10, data: Buffer.from('01234567') };
    const unknown = { code: 65_001, data: Buffer.from('x') };
    const parts = edns(1400, { dnssecOk: true, options: [unknown, cookie] });
    const reply = await ask(server, SVC1, 'A', parts);
    expect(reply.edns).toEqual({ udpBytes: 1400, version: 0, dnssecOk: true, options: [cookie] });
    expect((await ask(server, SVC1)).edns).toBeUndefined();
  });

  test('another EDNS version is BADVERS', async () => {
    const cookie = { code: 10, data: Buffer.from('12345678') };
    const parts = { version: 1, dnssecOk: true, options: [cookie] };
    const reply = await ask(server, SVC1, 'A', edns(1400, parts));
    expect(reply).toMatchObject({ rcode: 16, answers: [], questions: [{ name: SVC1 }] });
    expect(reply.edns).toEqual({ udpBytes: 0, version: 0, dnssecOk: false, options: [] });
  });

  test('RD and CD are copied, AD is not, RA is never set', async () => {
    const parts = { recursionDesired: false, checkingDisabled: true, authenticData: true };
    for (let round = 0; round < 2; round += 1)
      expect(await ask(server, SVC1, 'A', parts)).toMatchObject({
        recursionDesired: false,
        checkingDisabled: true,
        authenticData: false,
        recursionAvailable: false,
      });
  });

  /** Advertised size, records, TC. */
  const SIZES = [
    [undefined, 29, true],
    [100, 28, true],
    [1232, 60, false],
    [4096, 60, false],
  ] as const;
  test.each(SIZES)(
    'a client that takes %s bytes gets no more',
    async (size, records, truncated) => {
      for (let round = 0; round < 2; round += 1) {
        const raw = await exchange(
          port,
          queryBytes(BIG, 'A', size === undefined ? {} : edns(size)),
        );
        const reply = decodeMessage(raw);
        expect(raw.length).toBeLessThanOrEqual(Math.max(512, size ?? 0));
        expect(reply.answers).toHaveLength(records);
        expect(reply.truncated).toBe(truncated);
      }
    },
  );

  test('TCP has room for everything, uncompressed', async () => {
    const [raw] = await exchangeOverTcp(port, [queryBytes(BIG)]);
    expect(decodeMessage(raw ?? Buffer.alloc(0)).answers).toHaveLength(60);
    // Header, question, and sixty records with their owner in full.
    expect(raw?.length).toBe(12 + 34 + 60 * 44);
  });

  test('pipelined queries are answered in order, however they are cut', async () => {
    const names = [SVC1, BIG, 'nothing.testns.svc.cluster.local.', SVC1];
    const packets = names.map((name, id) => queryBytes(name, 'A', { id }));
    for (const cut of [1, 7, 1000]) {
      const replies = await exchangeOverTcp(port, packets, cut);
      expect(replies.map((reply) => reply.readUInt16BE(0))).toEqual([0, 1, 2, 3]);
      expect(replies.map((reply) => decodeMessage(reply).rcode)).toEqual([0, 0, 3, 0]);
    }
  });
});

describe('TCP connections', () => {
  /** Resolves when the server has closed it. */
  function closed(port: number): {
    opened: Promise<void>;
    closed: Promise<void>;
    send(bytes: Buffer): void;
    destroy(): void;
  } {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    return {
      opened: new Promise((resolve) => {
        socket.once('connect', resolve);
      }),
      closed: new Promise((resolve) => {
        socket.once('close', () => resolve());
      }),
      send: (bytes) => void socket.write(bytes),
      destroy: () => socket.destroy(),
    };
  }

  test('that never finish a query are closed after 3 seconds', async () => {
    const clock = new ManualClock();
    await using server = await startTestServer(COREFILE, { source: clusterSource(), clock });
    const connection = closed(server.addresses[0]?.port ?? 0);
    await connection.opened;
    connection.send(Buffer.from([0, 40, 1, 2]));
    await until(() => clock.pending > 0);
    clock.advance(2999);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    await connection.closed;
    expect(clock.pending).toBe(0);
  });

  test('above the limit are closed at once, and UDP goes on', async () => {
    await using server = await startTestServer(COREFILE, {
      source: clusterSource(),
      tcpLimits: { ...DEFAULT_TCP_LIMITS, maxConnections: 4 },
    });
    const port = server.addresses[0]?.port ?? 0;
    const held = Array.from({ length: 4 }, () => closed(port));
    await Promise.all(held.map(({ opened }) => opened));
    const [answered] = await exchangeOverTcp(port, []).catch(() => []);
    expect(answered).toBeUndefined();
    const extra = closed(port);
    await extra.closed;
    expect((await ask(server, SVC1)).answers).toHaveLength(1);
    for (const connection of held) connection.destroy();
    await Promise.all(held.map((connection) => connection.closed));
  });
});
