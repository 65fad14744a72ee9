import { describe, expect, test } from 'vitest';
import type { KeyValue, KeyValueReader } from '../../../src/dns/plugin/key-value.ts';
import { askInside, SERIAL, testClock, type Said } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';

/** An ordered map that plays etcd. */
function storeOf(entries: Readonly<Record<string, object | string>>): KeyValueReader {
  const all: KeyValue[] = Object.entries(entries)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({
      key,
      value: typeof value === 'string' ? value : JSON.stringify(value),
      leaseSeconds: key.includes('leased') ? 45 : 0,
    }));
  return {
    list: (prefix) => Promise.resolve(all.filter(({ key }) => key.startsWith(prefix))),
    get: (wanted) => Promise.resolve(all.find(({ key }) => key === wanted)),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const DATA = {
  '/skydns/local/skydns/east/a': { host: '10.0.0.1', port: 80 },
  '/skydns/local/skydns/east/b': { host: '10.0.0.2', port: 80, ttl: 60 },
  '/skydns/local/skydns/east/six': { host: '2001:db8::1', port: 80 },
  '/skydns/local/skydns/coasts/east/a': { host: '10.0.3.1' },
  '/skydns/local/skydns/coasts/west/a': { host: '10.0.1.1' },
  '/skydns/local/skydns/leased': { host: '10.0.2.1', ttl: 3600 },
  '/skydns/local/skydns/weights/a': { host: '10.1.0.1', weight: 120, priority: 10, port: 1 },
  '/skydns/local/skydns/weights/b': { host: '10.1.0.2', weight: 100, priority: 10, port: 2 },
  '/skydns/local/skydns/weights/c': { host: '10.1.0.3', weight: 130, priority: 10, port: 3 },
  '/skydns/local/skydns/strip/x/1': { host: '10.2.0.1', port: 5, targetstrip: 1 },
  '/skydns/local/skydns/mail/a': { host: 'mx.example.org', mail: true, priority: 50 },
  '/skydns/local/skydns/words/a': { text: 'some words' },
  '/skydns/local/skydns/alias': { host: 'a.west.coasts.skydns.local' },
  '/skydns/local/skydns/loop': { host: 'loop.skydns.local' },
  '/skydns/local/skydns/groups/a': { host: '10.3.0.1', group: 'g1' },
  '/skydns/local/skydns/groups/x/b': { host: '10.3.0.2', group: 'g2' },
  '/skydns/local/skydns/groups/x/c': { host: '10.3.0.3' },
  '/skydns/local/skydns/mixed/a': { host: '10.4.0.1', group: 'g1' },
  '/skydns/local/skydns/mixed/b': { host: '10.4.0.2', group: 'g2' },
  '/skydns/local/skydns/dns/ns/one': { host: '192.0.2.53' },
  '/skydns/local/skydns/dns/apex/a': { host: '192.0.2.80' },
  '/skydns/arpa/in-addr/10/0/0/1': { host: 'a.east.skydns.local' },
  '/skydns/local/skydns/broken': 'not JSON',
};

const Z = 'skydns.local.';
const SOA = `${Z} 30 IN SOA ns.dns.${Z} hostmaster.${Z} ${SERIAL} 7200 1800 86400 30`;

const ROWS: readonly (readonly [string, string, Partial<Said>])[] = [
  [`a.east.${Z}`, 'A', { flags: 'aa', answers: [`a.east.${Z} 300 IN A 10.0.0.1`] }],
  // An inner node answers for everything below it, each with its own TTL.
  [`East.${Z}`, 'A', { answers: [`East.${Z} 300 IN A 10.0.0.1`, `East.${Z} 60 IN A 10.0.0.2`] }],
  [`east.${Z}`, 'AAAA', { answers: [`east.${Z} 300 IN AAAA 2001:db8::1`] }],
  [
    `a.*.coasts.${Z}`,
    'A',
    { answers: [`a.*.coasts.${Z} 300 IN A 10.0.3.1`, `a.*.coasts.${Z} 300 IN A 10.0.1.1`] },
  ],
  [
    `a.any.coasts.${Z}`,
    'A',
    { answers: [`a.any.coasts.${Z} 300 IN A 10.0.3.1`, `a.any.coasts.${Z} 300 IN A 10.0.1.1`] },
  ],
  [`leased.${Z}`, 'A', { answers: [`leased.${Z} 45 IN A 10.0.2.1`] }],
  [
    `weights.${Z}`,
    'SRV',
    {
      answers: [
        `weights.${Z} 300 IN SRV 10 34 1 a.weights.${Z}`,
        `weights.${Z} 300 IN SRV 10 28 2 b.weights.${Z}`,
        `weights.${Z} 300 IN SRV 10 37 3 c.weights.${Z}`,
      ],
    },
  ],
  [
    `x.strip.${Z}`,
    'SRV',
    {
      answers: [`x.strip.${Z} 300 IN SRV 10 100 5 x.strip.${Z}`],
      additionals: [`x.strip.${Z} 300 IN A 10.2.0.1`],
    },
  ],
  [`mail.${Z}`, 'MX', { answers: [`mail.${Z} 300 IN MX 50 mx.example.org.`] }],
  [`words.${Z}`, 'TXT', { answers: [`words.${Z} 300 IN TXT "some words"`] }],
  [
    `alias.${Z}`,
    'A',
    {
      answers: [
        `alias.${Z} 300 IN CNAME a.west.coasts.${Z}`,
        `a.west.coasts.${Z} 300 IN A 10.0.1.1`,
      ],
    },
  ],
  [`alias.${Z}`, 'CNAME', { answers: [`alias.${Z} 300 IN CNAME a.west.coasts.${Z}`] }],
  [`loop.${Z}`, 'A', { rcode: 'NOERROR', answers: [], authorities: [SOA] }],
  [
    `groups.${Z}`,
    'A',
    { answers: [`groups.${Z} 300 IN A 10.3.0.1`, `groups.${Z} 300 IN A 10.3.0.3`] },
  ],
  [
    `mixed.${Z}`,
    'A',
    { answers: [`mixed.${Z} 300 IN A 10.4.0.1`, `mixed.${Z} 300 IN A 10.4.0.2`] },
  ],
  [Z, 'A', { answers: [`${Z} 300 IN A 192.0.2.80`] }],
  [
    Z,
    'NS',
    {
      answers: [`${Z} 300 IN NS one.ns.dns.${Z}`],
      additionals: [`one.ns.dns.${Z} 300 IN A 192.0.2.53`],
    },
  ],
  [Z, 'SOA', { answers: [SOA] }],
  [
    '1.0.0.10.in-addr.arpa.',
    'PTR',
    { answers: ['1.0.0.10.in-addr.arpa. 300 IN PTR a.east.skydns.local.'] },
  ],
  [`nothing.${Z}`, 'A', { rcode: 'NXDOMAIN', flags: 'aa', authorities: [SOA] }],
  [`broken.${Z}`, 'A', { rcode: 'NOERROR', answers: [] }],
];

describe('etcd', () => {
  test.each(ROWS)('%s %s', async (name, type, expected) => {
    await using server = await startTestServer('. {\n etcd skydns.local in-addr.arpa\n}', {
      clock: testClock(),
      connectEtcd: () => storeOf(DATA),
    });
    expect(await askInside(server, name, type)).toMatchObject(expected);
  });

  test('is told where the store is', async () => {
    let told: unknown;
    await using server = await startTestServer(
      '. {\n etcd skydns.local {\n endpoint http://a:1 http://b:2\n credentials me secret\n path /other/\n}\n}',
      {
        connectEtcd: (address) => {
          told = address;
          return storeOf({ '/other/local/skydns/x': { host: '10.0.0.9' } });
        },
      },
    );
    expect(told).toEqual({
      endpoints: ['http://a:1', 'http://b:2'],
      credentials: { username: 'me', password: 'secret' },
    });
    expect((await askInside(server, 'x.skydns.local.'))?.answers).toEqual([
      'x.skydns.local. 300 IN A 10.0.0.9',
    ]);
  });

  test('is SERVFAIL with an SOA while the store is out of reach', async () => {
    const broken = { ...storeOf({}), list: () => Promise.reject(new Error('unreachable')) };
    await using server = await startTestServer('. {\n etcd skydns.local\n}', {
      connectEtcd: () => broken,
    });
    const reply = await askInside(server, `x.${Z}`);
    expect(reply).toMatchObject({
      rcode: 'SERVFAIL',
      authorities: [expect.stringContaining(' SOA ')],
    });
  });

  test('forwards stub zones, but not what it has forwarded itself', async () => {
    await using stub = await startTestServer('. {\n hosts {\n 192.0.2.7 www.example.net\n}\n}');
    const port = stub.addresses[0]?.port ?? 0;
    await using server = await startTestServer('. {\n etcd skydns.local {\n stubzones\n}\n}', {
      connectEtcd: () =>
        storeOf({ '/skydns/local/skydns/dns/stub/net/example/one': { host: '127.0.0.1', port } }),
    });
    expect((await askInside(server, 'www.example.net.'))?.answers).toEqual([
      'www.example.net. 3600 IN A 192.0.2.7',
    ]);
    const edns = {
      udpBytes: 1232,
      version: 0,
      dnssecOk: false,
      options: [{ code: 65_011, data: Buffer.from([1]) }],
    };
    expect((await askInside(server, 'www.example.net.', 'A', { edns }))?.rcode).toBe('REFUSED');
  });
});
