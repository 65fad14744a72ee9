import { describe, expect, test } from 'vitest';
import { parseZoneFile } from '../../../src/dns/message/zone-file.ts';
import { RecordType } from '../../../src/dns/message/codes.ts';
import { resourceRecord, type DnsMessage } from '../../../src/dns/message/message.ts';
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
below.gone TXT hidden
dangling CNAME nothing
apart   NS  www
chain   CNAME _s._tcp
https   HTTPS 1 . alpn=h2
$GENERATE 1-3 h$ A 192.0.2.\${100}
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
      // What the chain ends in decides (RFC 6604).
      rcode: 'NXDOMAIN',
      authorities: NS,
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
  [
    'dangling.example.org.',
    'A',
    {
      rcode: 'NXDOMAIN',
      answers: ['dangling.example.org. 3600 IN CNAME nothing.example.org.'],
      authorities: NS,
    },
  ],
  [
    'below.gone.example.org.',
    'TXT',
    { answers: expect.arrayContaining(['gone.example.org. 3600 IN DNAME www.example.org.']) },
  ],
  ['gone.example.org.', 'A', { rcode: 'NOERROR', answers: [], authorities: [SOA] }],
  // Servers elsewhere in the zone are found by asking for them.
  [
    'host.apart.example.org.',
    'A',
    { authorities: ['apart.example.org. 3600 IN NS www.example.org.'], additionals: [] },
  ],
  [
    'chain.example.org.',
    'SRV',
    {
      answers: [
        'chain.example.org. 3600 IN CNAME _s._tcp.example.org.',
        '_s._tcp.example.org. 3600 IN SRV 1 2 3 www.example.org.',
      ],
      additionals: [],
    },
  ],
  [
    'https.example.org.',
    'HTTPS',
    { answers: [String.raw`https.example.org. 3600 IN HTTPS \# 10 00010000010003026832`] },
  ],
  ['h2.example.org.', 'A', { answers: ['h2.example.org. 3600 IN A 192.0.2.102'] }],
  ['example.org.', 'AXFR', { rcode: 'REFUSED' }],
];

describe('zone files', () => {
  test.each(ROWS)('%s %s', async (name, type, expected) => {
    await using server = await startTestServer('example.org {\n file db.example.org\n}', { files });
    expect(await askInside(server, name, type)).toMatchObject(expected);
  });

  test.each([
    [
      '$NOPE other',
      "db:1: '$NOPE' is not supported; expected $ORIGIN, $TTL, $INCLUDE or $GENERATE",
    ],
    ['$INCLUDE other', 'db:1: ENOENT other'],
    ['$INCLUDE', 'db:1: $INCLUDE needs a file'],
    ['$GENERATE 3-1 h$ A 10.0.0.$', 'db:1: $GENERATE: expected START-STOP[/STEP]'],
    ['$GENERATE 0-70000 h$ A 10.0.0.1', 'db:1: $GENERATE: more than 65536 lines'],
    ['\n$GENERATE 1-2 h$ A 10.0.0.$x', "db:2: '10.0.0.1x' is not an IPv4 address"],
    ['www HTTPS 1 . nope=1', "db:1: unknown parameter 'nope'"],
    ['www DS 1 2 3 xyz', "db:1: 'xyz' is not hexadecimal"],
    ['www NAPTR 1 2 u', 'db:1: expected field 4 of the data'],
    ['www HINFO a b c', "db:1: unexpected 'c' after the data"],
    ['www A 10.0.0', "db:1: '10.0.0' is not an IPv4 address"],
    ['\n\nwww IN 60 NOPE x', "db:3: 'NOPE' is not a record type"],
    ['www IN MX ten x', "db:1: 'ten' is not a number"],
    ['@ SOA a b ( 1 2 3', "db:1: expected ')' before the end"],
    [' A 192.0.2.1', 'db:1: the first record needs an owner name'],
    ['www LOC 1 2 3', 'can only be given in the form'],
  ])('%j is refused', async (text, problem) => {
    const read = (): Promise<string> => Promise.reject(new Error('ENOENT other'));
    await expect(parseZoneFile({ text, file: 'db' }, 'example.org.', read)).rejects.toThrow(
      problem,
    );
  });

  test('include others, with an origin of their own', async () => {
    const others: Record<string, string> = {
      '/zones/hosts': 'a A 192.0.2.1\n$INCLUDE deep/more sub\nb A 192.0.2.2',
      '/zones/deep/more': 'c A 192.0.2.3',
    };
    const text = '$TTL 60\n$INCLUDE hosts\nd A 192.0.2.4';
    const read = (path: string): Promise<string> => Promise.resolve(others[path] ?? '');
    const records = await parseZoneFile({ text, file: '/zones/db' }, 'example.org.', read);
    expect(records.map(({ name }) => name)).toEqual([
      'a.example.org.',
      'c.sub.example.org.',
      'b.example.org.',
      'd.example.org.',
    ]);
  });

  test('that include themselves end', async () => {
    const text = '$INCLUDE db';
    const read = (): Promise<string> => Promise.resolve(text);
    await expect(parseZoneFile({ text, file: 'db' }, 'example.org.', read)).rejects.toThrow(
      '$INCLUDE goes too deep',
    );
  });

  test.each([
    ['$GENERATE 1-3 h$ A 10.0.0.$', ['h1 A 10.0.0.1', 'h2 A 10.0.0.2', 'h3 A 10.0.0.3']],
    [
      '$GENERATE 0-4/2 h${10,3} A 10.0.0.$',
      ['h010 A 10.0.0.0', 'h012 A 10.0.0.2', 'h014 A 10.0.0.4'],
    ],
    ['$GENERATE 15-16 x${0,4,x} TXT "$$$"', ['x000f TXT "$15"', 'x0010 TXT "$16"']],
  ])('%j', async (text, lines) => {
    const read = (): Promise<string> => Promise.reject(new Error('no files'));
    const source = { text: `$TTL 60\n${text}`, file: 'db' };
    const records = await parseZoneFile(source, 'example.org.', read);
    expect(records.map(formatRecord)).toEqual(
      lines.map((line) => line.replace(' ', '.example.org. 60 IN ').replace('\\$', '$')),
    );
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

  async function transferred(
    corefile: string,
    zone: string,
    type: string,
    parts: Partial<DnsMessage> = {},
  ): Promise<string[]> {
    await using server = await startTestServer(corefile, {
      files,
      source: clusterSource(),
      clock: testClock(),
      localAddresses: ['192.0.2.53'],
    });
    const raw = await exchangeOverTcp(server.addresses[0]?.port ?? 0, [
      queryBytes(zone, type, parts),
    ]);
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
    expect(lines).toHaveLength(26);
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

  test('of external zones have the Services with external addresses', async () => {
    const corefile =
      'example.net cluster.local {\n k8s_external example.net {\n headless\n}\n kubernetes cluster.local\n transfer {\n to *\n}\n}';
    const lines = await transferred(corefile, 'example.net.', 'AXFR');
    const soa = `example.net. 5 IN SOA ns1.dns.example.net. hostmaster.dns.example.net. ${SERIAL} 7200 1800 86400 5`;
    expect([lines[0], lines.at(-1)]).toEqual([soa, soa]);
    expect(lines.slice(1, 3)).toEqual([
      'example.net. 5 IN NS ns1.dns.example.net.',
      'ns1.dns.example.net. 5 IN A 192.0.2.53',
    ]);
    expect(lines.filter((line) => line.includes('balanced.testns'))).toEqual([
      'balanced.testns.example.net. 5 IN A 192.0.2.7',
      'balanced.testns.example.net. 5 IN A 192.0.2.70',
      'balanced.testns.example.net. 5 IN CNAME lb.example.org.',
      'balanced.testns.example.net. 5 IN SRV 0 100 80 balanced.testns.example.net.',
      'balanced.testns.example.net. 5 IN SRV 0 100 80 lb.example.org.',
      '_http._tcp.balanced.testns.example.net. 5 IN SRV 0 100 80 balanced.testns.example.net.',
      '_http._tcp.balanced.testns.example.net. 5 IN SRV 0 100 80 lb.example.org.',
    ]);
    expect(lines).toContain('web-0.web.testns.example.net. 5 IN A 10.1.0.10');
    expect(lines).toContain(
      '_admin._tcp.web.testns.example.net. 5 IN SRV 0 100 9000 web-1.web.testns.example.net.',
    );
    expect(lines.some((line) => line.includes('svc1'))).toBe(false);
  });

  test.each([
    ['to 127.0.0.1:53', 'AXFR', {}, 26],
    ['to 192.0.2.1', 'AXFR', {}, 'rcode 5'],
    ['to *', 'IXFR', {}, 'rcode 2'],
    ['to *', 'IXFR', { serial: 7 }, 1],
    ['to *', 'IXFR', { serial: 6 }, 26],
  ])('%s: %s %j', async (to, type, client: { serial?: number }, expected) => {
    const corefile = `example.org {\n file db\n transfer org {\n to 192.0.2.9\n}\n transfer {\n ${to}\n}\n}`;
    const authorities =
      client.serial === undefined
        ? []
        : [
            resourceRecord('example.org.', RecordType.SOA, 0, {
              kind: 'soa',
              mname: '.',
              rname: '.',
              serial: client.serial,
              refreshSeconds: 0,
              retrySeconds: 0,
              expireSeconds: 0,
              minimumSeconds: 0,
            }),
          ];
    const lines = await transferred(corefile, 'example.org.', type, { authorities });
    expect(typeof expected === 'number' ? lines.length : lines.join()).toBe(expected);
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
