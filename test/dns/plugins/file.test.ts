import { describe, expect, test } from 'vitest';
import { parseZoneFile } from '../../../src/dns/plugins/file/zone-file.ts';
import { formatRecord } from '../../../src/dns/message/record-text.ts';
import { decodeMessage } from '../../../src/dns/message/decode-message.ts';
import { askInside, clusterSource, SERIAL, testClock, type Said } from '../cluster-fixture.ts';
import { exchangeOverTcp, queryBytes, startTestServer } from '../dns-fixture.ts';

const ZONE = `
$TTL 1h
@       IN SOA ns1 hostmaster (
            7      ; serial
            2h 30m 1w 60 )
        NS  ns1
        NS  ns2.example.net.
ns1     A   192.0.2.53
www     300 IN A 192.0.2.1
        AAAA 2001:db8::1
alias   CNAME www
out     CNAME www.example.net.
*.wild  TXT "any thing" two
a.b.c   A   192.0.2.2
sub     NS  ns.sub
ns.sub  A   192.0.2.54
mail    MX  10 www
_s._tcp SRV 1 2 3 www
gone    DNAME www.example.org.
raw     TYPE65280 \\# 2 abcd
caa     CAA 0 issue "ca.example.net"
`;
const SOA =
  'example.org. 3600 IN SOA ns1.example.org. hostmaster.example.org. 7 7200 1800 604800 60';
const NS = ['example.org. 3600 IN NS ns1.example.org.', 'example.org. 3600 IN NS ns2.example.net.'];

const files = { read: () => Promise.resolve(ZONE) };

const ROWS: readonly (readonly [string, string, Partial<Said>])[] = [
  [
    'WWW.example.org.',
    'A',
    { flags: 'aa', answers: ['WWW.example.org. 300 IN A 192.0.2.1'], authorities: NS },
  ],
  ['www.example.org.', 'AAAA', { answers: ['www.example.org. 3600 IN AAAA 2001:db8::1'] }],
  ['www.example.org.', 'MX', { rcode: 'NOERROR', answers: [], authorities: [SOA] }],
  ['nope.example.org.', 'A', { rcode: 'NXDOMAIN', authorities: [SOA] }],
  ['b.c.example.org.', 'A', { rcode: 'NOERROR', answers: [], authorities: [SOA] }],
  [
    'alias.example.org.',
    'A',
    {
      answers: [
        'alias.example.org. 3600 IN CNAME www.example.org.',
        'www.example.org. 300 IN A 192.0.2.1',
      ],
    },
  ],
  [
    'alias.example.org.',
    'CNAME',
    { answers: ['alias.example.org. 3600 IN CNAME www.example.org.'] },
  ],
  ['out.example.org.', 'A', { answers: ['out.example.org. 3600 IN CNAME www.example.net.'] }],
  [
    'x.wild.example.org.',
    'TXT',
    { answers: ['x.wild.example.org. 3600 IN TXT "any thing" "two"'] },
  ],
  ['x.wild.example.org.', 'A', { rcode: 'NOERROR', authorities: [SOA] }],
  [
    'host.sub.example.org.',
    'A',
    {
      flags: '',
      answers: [],
      authorities: ['sub.example.org. 3600 IN NS ns.sub.example.org.'],
      additionals: ['ns.sub.example.org. 3600 IN A 192.0.2.54'],
    },
  ],
  [
    'mail.example.org.',
    'MX',
    {
      answers: ['mail.example.org. 3600 IN MX 10 www.example.org.'],
      additionals: [
        'www.example.org. 300 IN A 192.0.2.1',
        'www.example.org. 3600 IN AAAA 2001:db8::1',
      ],
    },
  ],
  [
    'x.gone.example.org.',
    'A',
    {
      rcode: 'NOERROR',
      answers: [
        'gone.example.org. 3600 IN DNAME www.example.org.',
        'x.gone.example.org. 3600 IN CNAME x.www.example.org.',
      ],
    },
  ],
  [
    'example.org.',
    'NS',
    { answers: NS, authorities: [], additionals: ['ns1.example.org. 3600 IN A 192.0.2.53'] },
  ],
  [
    'raw.example.org.',
    'TYPE65280',
    { answers: [String.raw`raw.example.org. 3600 IN TYPE65280 \# 2 abcd`] },
  ],
  ['example.org.', 'AXFR', { rcode: 'REFUSED' }],
];

describe('zone files', () => {
  test.each(ROWS)('%s %s', async (name, type, expected) => {
    await using server = await startTestServer('example.org {\n file db.example.org\n}', { files });
    expect(await askInside(server, name, type)).toMatchObject(expected);
  });

  test.each([
    ['$INCLUDE other', "db:1: '$INCLUDE' is not supported"],
    ['www A 10.0.0', "db:1: '10.0.0' is not an IPv4 address"],
    ['\n\nwww IN 60 NOPE x', "db:3: 'NOPE' is not a record type"],
    ['www IN MX ten x', "db:1: 'ten' is not a number"],
    ['@ SOA a b ( 1 2 3', "db:1: expected ')' before the end"],
    [' A 192.0.2.1', 'db:1: the first record needs an owner name'],
    ['www LOC 1 2 3', 'can only be given in the form'],
  ])('%j is refused', (text, problem) => {
    expect(() => parseZoneFile(text, 'example.org.', 'db')).toThrow(problem);
  });

  test('without an SOA are refused with the place in the Corefile', async () => {
    const empty = { read: () => Promise.resolve('www 60 A 192.0.2.1') };
    await expect(startTestServer('example.org {\n file db\n}', { files: empty })).rejects.toThrow(
      'Corefile:2 - Error during parsing: plugin/file: no SOA record for example.org.',
    );
  });

  test('are read again when the serial has changed', async () => {
    const clock = testClock();
    let text = ZONE;
    await using server = await startTestServer('example.org {\n file db\n}', {
      clock,
      files: { read: () => Promise.resolve(text) },
    });
    const answers = async (): Promise<unknown> =>
      (await askInside(server, 'www.example.org.'))?.answers;
    text = ZONE.replace('192.0.2.1', '192.0.2.99');
    clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await answers()).toEqual(['www.example.org. 300 IN A 192.0.2.1']);
    text = text.replace('7      ; serial', '8');
    clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await answers()).toEqual(['www.example.org. 300 IN A 192.0.2.99']);
  });
});

describe('transfers', () => {
  const CLUSTER = 'cluster.local {\n kubernetes\n transfer {\n  to 127.0.0.1\n }\n}';

  async function transferred(corefile: string, zone: string, type: string): Promise<string[]> {
    await using server = await startTestServer(corefile, {
      files,
      source: clusterSource(),
      clock: testClock(),
      localAddresses: ['192.0.2.53'],
    });
    const raw = await exchangeOverTcp(server.addresses[0]?.port ?? 0, [queryBytes(zone, type)]);
    return raw
      .map(decodeMessage)
      .flatMap(({ rcode, answers }) =>
        rcode === 0 ? answers.map(formatRecord) : [`rcode ${rcode}`],
      );
  }

  test('have everything between two SOAs', async () => {
    const lines = await transferred(
      'example.org {\n file db\n transfer {\n to *\n}\n}',
      'example.org.',
      'AXFR',
    );
    expect(lines).toHaveLength(18);
    expect([lines[0], lines.at(-1)]).toEqual([SOA, SOA]);
  });

  test('of a cluster are in order, without pods', async () => {
    const lines = await transferred(CLUSTER, 'cluster.local.', 'AXFR');
    const soa = `cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. ${SERIAL} 7200 1800 86400 5`;
    expect([lines[0], lines.at(-1)]).toEqual([soa, soa]);
    expect(lines.slice(1, 3)).toEqual([
      'cluster.local. 5 IN NS ns.dns.cluster.local.',
      'ns.dns.cluster.local. 5 IN A 192.0.2.53',
    ]);
    expect(lines).toContain(
      '_http._tcp.web.testns.svc.cluster.local. 5 IN SRV 0 50 80 web-0.web.testns.svc.cluster.local.',
    );
    expect(lines).toContain(
      '_http._tcp.svc1.testns.svc.cluster.local. 5 IN SRV 0 100 80 svc1.testns.svc.cluster.local.',
    );
    expect(lines).toContain('alias.testns.svc.cluster.local. 5 IN CNAME target.example.org.');
    expect(lines.some((line) => line.includes('.pod.'))).toBe(false);
  });

  test('are refused over UDP and for others', async () => {
    await using server = await startTestServer(CLUSTER, { source: clusterSource() });
    expect(
      (await askInside(server, 'cluster.local.', 'AXFR', {}, { address: '127.0.0.1' }))?.rcode,
    ).toBe('REFUSED');
    expect(
      (await askInside(server, 'cluster.local.', 'AXFR', {}, { protocol: 'tcp' }))?.rcode,
    ).toBe('REFUSED');
  });
});
