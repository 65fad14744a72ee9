import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lifetime } from '../../../src/base/lifetime.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import { askInside, clusterSource, SERIAL, testClock } from '../cluster-fixture.ts';
import { addNamespaces, serviceOf, sliceOf, startTestServer } from '../dns-fixture.ts';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';

const Z = 'cluster.local.';
const SOA = `${Z} 5 IN SOA ns.dns.${Z} hostmaster.${Z} ${SERIAL} 7200 1800 86400 5`;

function corefile(options = '', more = ''): string {
  return `.:53 {\n  kubernetes cluster.local in-addr.arpa ip6.arpa {\n${options}\n}\n${more}\n}`;
}

function start(text: string): Promise<DnsServer> {
  return startTestServer(text, {
    clock: testClock(),
    source: clusterSource(),
    localAddresses: ['192.0.2.53'],
  });
}

/** Name, type, answers, additionals. */
type Row = readonly [string, string, readonly string[], (readonly string[])?];

const svc1 = 'svc1.testns.svc.cluster.local.';
const web = 'web.testns.svc.cluster.local.';
const plain = 'plain.testns.svc.cluster.local.';

const POSITIVE: readonly Row[] = [
  [svc1, 'A', [`${svc1} 5 IN A 10.0.0.1`]],
  // The owner keeps the letters of the question.
  [`SVC1.TestNS.svc.Cluster.Local.`, 'A', [`SVC1.TestNS.svc.Cluster.Local. 5 IN A 10.0.0.1`]],
  [svc1, 'SRV', [`${svc1} 5 IN SRV 0 100 80 ${svc1}`], [`${svc1} 5 IN A 10.0.0.1`]],
  [
    `_http._tcp.${svc1}`,
    'SRV',
    [`_http._tcp.${svc1} 5 IN SRV 0 100 80 ${svc1}`],
    [`${svc1} 5 IN A 10.0.0.1`],
  ],
  // Underscores are optional, and an address question about a port is answered.
  [
    `http.tcp.${svc1}`,
    'SRV',
    [`http.tcp.${svc1} 5 IN SRV 0 100 80 ${svc1}`],
    [`${svc1} 5 IN A 10.0.0.1`],
  ],
  [`_http._tcp.${svc1}`, 'A', [`_http._tcp.${svc1} 5 IN A 10.0.0.1`]],
  [
    'unnamed.testns.svc.cluster.local.',
    'SRV',
    ['unnamed.testns.svc.cluster.local. 5 IN SRV 0 100 8080 unnamed.testns.svc.cluster.local.'],
    ['unnamed.testns.svc.cluster.local. 5 IN A 10.0.0.3'],
  ],
  // One target, two addresses: the weight counts both.
  [
    '_http._tcp.dual.testns.svc.cluster.local.',
    'SRV',
    ['_http._tcp.dual.testns.svc.cluster.local. 5 IN SRV 0 50 80 dual.testns.svc.cluster.local.'],
    [
      'dual.testns.svc.cluster.local. 5 IN A 10.0.0.4',
      'dual.testns.svc.cluster.local. 5 IN AAAA 2001:db8::4',
    ],
  ],
  [
    'dual.testns.svc.cluster.local.',
    'AAAA',
    ['dual.testns.svc.cluster.local. 5 IN AAAA 2001:db8::4'],
  ],
  [web, 'A', [`${web} 5 IN A 10.1.0.10`, `${web} 5 IN A 10.1.0.11`]],
  [`web-0.${web}`, 'A', [`web-0.${web} 5 IN A 10.1.0.10`]],
  [
    `_http._tcp.${web}`,
    'SRV',
    [
      `_http._tcp.${web} 5 IN SRV 0 50 80 web-0.${web}`,
      `_http._tcp.${web} 5 IN SRV 0 50 80 web-1.${web}`,
    ],
    [`web-0.${web} 5 IN A 10.1.0.10`, `web-1.${web} 5 IN A 10.1.0.11`],
  ],
  [
    `web-1.${web}`,
    'SRV',
    [`web-1.${web} 5 IN SRV 0 50 80 web-1.${web}`, `web-1.${web} 5 IN SRV 0 50 9000 web-1.${web}`],
    [`web-1.${web} 5 IN A 10.1.0.11`],
  ],
  [plain, 'A', [`${plain} 5 IN A 10.1.0.20`]],
  [plain, 'AAAA', [`${plain} 5 IN AAAA 2001:db8:1::20`, `${plain} 5 IN AAAA 2001:db8:1::`]],
  [`10-1-0-20.${plain}`, 'A', [`10-1-0-20.${plain} 5 IN A 10.1.0.20`]],
  [`2001-db8-1--20.${plain}`, 'AAAA', [`2001-db8-1--20.${plain} 5 IN AAAA 2001:db8:1::20`]],
  // A label must not end in a dash.
  [`2001-db8-1--0.${plain}`, 'AAAA', [`2001-db8-1--0.${plain} 5 IN AAAA 2001:db8:1::`]],
  [
    'portless.testns.svc.cluster.local.',
    'A',
    ['portless.testns.svc.cluster.local. 5 IN A 10.1.0.30'],
  ],
  [
    'inner.testns.svc.cluster.local.',
    'A',
    [`inner.testns.svc.cluster.local. 5 IN CNAME ${svc1}`, `${svc1} 5 IN A 10.0.0.1`],
  ],
  [
    'chain.testns.svc.cluster.local.',
    'A',
    [
      'chain.testns.svc.cluster.local. 5 IN CNAME inner.testns.svc.cluster.local.',
      `inner.testns.svc.cluster.local. 5 IN CNAME ${svc1}`,
      `${svc1} 5 IN A 10.0.0.1`,
    ],
  ],
  [
    'alias.testns.svc.cluster.local.',
    'CNAME',
    ['alias.testns.svc.cluster.local. 5 IN CNAME target.example.org.'],
  ],
  // Nobody here knows the target, but the alias is told.
  [
    'alias.testns.svc.cluster.local.',
    'A',
    ['alias.testns.svc.cluster.local. 5 IN CNAME target.example.org.'],
  ],
  // The cluster IP, never the load balancer's.
  [
    'balanced.testns.svc.cluster.local.',
    'A',
    ['balanced.testns.svc.cluster.local. 5 IN A 10.0.0.7'],
  ],
  [`dns-version.${Z}`, 'TXT', [`dns-version.${Z} 28800 IN TXT "1.1.0"`]],
  [Z, 'SOA', [SOA]],
  [Z, 'NS', [`${Z} 5 IN NS ns.dns.${Z}`], [`ns.dns.${Z} 5 IN A 192.0.2.53`]],
  [`ns.dns.${Z}`, 'A', [`ns.dns.${Z} 5 IN A 192.0.2.53`]],
  ['1.0.0.10.in-addr.arpa.', 'PTR', [`1.0.0.10.in-addr.arpa. 5 IN PTR ${svc1}`]],
  ['10.0.1.10.in-addr.arpa.', 'PTR', [`10.0.1.10.in-addr.arpa. 5 IN PTR web-0.${web}`]],
  ['20.0.1.10.in-addr.arpa.', 'PTR', [`20.0.1.10.in-addr.arpa. 5 IN PTR 10-1-0-20.${plain}`]],
  [
    '4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.',
    'PTR',
    [
      '4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 5 IN PTR dual.testns.svc.cluster.local.',
    ],
  ],
];

const NODATA: readonly (readonly [string, string])[] = [
  [Z, 'A'],
  [`svc.${Z}`, 'A'],
  [`pod.${Z}`, 'A'],
  [`testns.svc.${Z}`, 'A'],
  [`empty.svc.${Z}`, 'A'],
  [svc1, 'AAAA'],
  ['only6.testns.svc.cluster.local.', 'A'],
  [svc1, 'MX'],
  [svc1, 'HTTPS'],
  [svc1, 'ANY'],
  [svc1, 'CAA'],
  [svc1, 'TXT'],
  [svc1, 'NS'],
  ['noports.testns.svc.cluster.local.', 'SRV'],
  ['portless.testns.svc.cluster.local.', 'SRV'],
  ['alias.testns.svc.cluster.local.', 'SRV'],
  ['alias.testns.svc.cluster.local.', 'TXT'],
  ['dangling.testns.svc.cluster.local.', 'A'],
  ['self.testns.svc.cluster.local.', 'A'],
  // Below the apex an SOA question is never a name error.
  ['nothing.testns.svc.cluster.local.', 'SOA'],
];

const NXDOMAIN: readonly (readonly [string, string])[] = [
  ['nothing.testns.svc.cluster.local.', 'A'],
  ['svc1.nothing.svc.cluster.local.', 'A'],
  ['nothing.svc.cluster.local.', 'A'],
  ['nobody.testns.svc.cluster.local.', 'A'],
  ['svc1.testns.other.cluster.local.', 'A'],
  ['web-2.web.testns.svc.cluster.local.', 'A'],
  ['web-9.web.testns.svc.cluster.local.', 'A'],
  ['_nope._tcp.svc1.testns.svc.cluster.local.', 'SRV'],
  ['_http._udp.svc1.testns.svc.cluster.local.', 'SRV'],
  ['a.b.c.svc1.testns.svc.cluster.local.', 'A'],
  ['*.testns.svc.cluster.local.', 'A'],
  ['_http._tcp.alias.testns.svc.cluster.local.', 'SRV'],
  ['below.alias.testns.svc.cluster.local.', 'A'],
  ['address-alias.testns.svc.cluster.local.', 'A'],
  ['nothing.testns.svc.cluster.local.', 'HTTPS'],
  ['10-240-0-1.testns.pod.cluster.local.', 'A'],
];

describe('the kubernetes plugin', () => {
  const lifetime = new Lifetime('kubernetes tests');
  let server: DnsServer;
  beforeAll(async () => {
    server = lifetime.own(await start(corefile()));
  });
  afterAll(() => lifetime[Symbol.asyncDispose]());

  test.each(POSITIVE)('%s %s', async (...row) => {
    const [name, type, answers, additionals = []] = row as unknown as Row;
    expect(await askInside(server, name, type)).toEqual({
      rcode: 'NOERROR',
      flags: 'aa',
      answers,
      authorities: [],
      additionals,
    });
  });

  test.each(NODATA)('%s %s has no data', async (name, type) => {
    expect(await askInside(server, name, type)).toEqual({
      rcode: 'NOERROR',
      flags: 'aa',
      answers: [],
      authorities: [SOA],
      additionals: [],
    });
  });

  test.each(NXDOMAIN)('%s %s does not exist', async (name, type) => {
    expect(await askInside(server, name, type)).toEqual({
      rcode: 'NXDOMAIN',
      flags: 'aa',
      answers: [],
      authorities: [SOA],
      additionals: [],
    });
  });

  test('a denial names the reverse zone it is about', async () => {
    const reply = await askInside(server, '9.9.9.9.in-addr.arpa.', 'PTR');
    expect(reply?.rcode).toBe('NXDOMAIN');
    expect(reply?.authorities[0]).toMatch(/^in-addr\.arpa\. 5 IN SOA ns\.dns\.in-addr\.arpa\. /);
  });

  test('the zone in a denial keeps the letters of the question', async () => {
    const reply = await askInside(server, 'no.testns.svc.CLUSTER.local.');
    expect(reply?.authorities[0]).toMatch(/^CLUSTER\.local\. 5 IN SOA ns\.dns\.CLUSTER\.local\. /);
  });

  test('SRV targets take the letters of the zone from the question', async () => {
    const reply = await askInside(server, '_HTTP._tcp.Web.testns.svc.Cluster.Local.', 'SRV');
    expect(reply?.answers[0]).toBe(
      '_HTTP._tcp.Web.testns.svc.Cluster.Local. 5 IN SRV 0 50 80 web-0.web.testns.svc.Cluster.Local.',
    );
  });

  test('transfers are refused without the transfer plugin', async () => {
    expect((await askInside(server, Z, 'AXFR'))?.rcode).toBe('REFUSED');
  });
});

/** Options, name, type, the whole answer in short. */
type OptionRow = readonly [string, string, string, string];

const OPTIONS: readonly OptionRow[] = [
  ['ttl 30', svc1, 'A', `${svc1} 30 IN A 10.0.0.1`],
  ['ttl 0', svc1, 'A', `${svc1} 0 IN A 10.0.0.1`],
  [
    'pods insecure',
    '10-9-8-7.testns.pod.cluster.local.',
    'A',
    '10-9-8-7.testns.pod.cluster.local. 5 IN A 10.9.8.7',
  ],
  [
    'pods insecure',
    '2001-db8--1.testns.pod.cluster.local.',
    'AAAA',
    '2001-db8--1.testns.pod.cluster.local. 5 IN AAAA 2001:db8::1',
  ],
  ['pods insecure', '10-9-8-7.testns.pod.cluster.local.', 'AAAA', 'NODATA'],
  ['pods insecure', 'client.testns.pod.cluster.local.', 'A', 'NXDOMAIN'],
  ['pods insecure', '10-9-8-7.nothing.pod.cluster.local.', 'A', 'NXDOMAIN'],
  [
    'pods verified',
    '10-240-0-1.testns.pod.cluster.local.',
    'A',
    '10-240-0-1.testns.pod.cluster.local. 5 IN A 10.240.0.1',
  ],
  [
    'pods verified',
    '2001-db8-2--1.testns.pod.cluster.local.',
    'AAAA',
    '2001-db8-2--1.testns.pod.cluster.local. 5 IN AAAA 2001:db8:2::1',
  ],
  ['pods verified', '10-240-0-1.empty.pod.cluster.local.', 'A', 'NXDOMAIN'],
  ['pods verified', '10-240-0-2.testns.pod.cluster.local.', 'A', 'NXDOMAIN'],
  ['pods verified', '10-9-8-7.testns.pod.cluster.local.', 'A', 'NXDOMAIN'],
  [
    'endpoint_pod_names',
    'portless-x.portless.testns.svc.cluster.local.',
    'A',
    'portless-x.portless.testns.svc.cluster.local. 5 IN A 10.1.0.30',
  ],
  ['endpoint_pod_names', '10-1-0-30.portless.testns.svc.cluster.local.', 'A', 'NXDOMAIN'],
  ['noendpoints', web, 'A', 'NXDOMAIN'],
  ['noendpoints', svc1, 'A', `${svc1} 5 IN A 10.0.0.1`],
  ['noendpoints', '10.0.1.10.in-addr.arpa.', 'PTR', 'NXDOMAIN'],
  ['namespaces empty', svc1, 'A', 'NXDOMAIN'],
  ['namespaces empty', '1.0.0.10.in-addr.arpa.', 'PTR', 'NXDOMAIN'],
  ['namespaces testns', svc1, 'A', `${svc1} 5 IN A 10.0.0.1`],
  ['namespace_labels tier=none', 'empty.svc.cluster.local.', 'A', 'NODATA'],
  ['namespace_labels tier=none', svc1, 'A', 'NXDOMAIN'],
  ['labels app=x', svc1, 'A', 'NXDOMAIN'],
  ['ignore empty_service', svc1, 'A', 'NXDOMAIN'],
  ['ignore empty_service', web, 'A', `${web} 5 IN A 10.1.0.10 | ${web} 5 IN A 10.1.0.11`],
  ['zonal', `zone-a.pin._zone.${web}`, 'A', `zone-a.pin._zone.${web} 5 IN A 10.1.0.10`],
  ['zonal', `zone-z.pin._zone.${web}`, 'A', 'NODATA'],
  [
    'zonal',
    `zone-z.prefer._zone.${web}`,
    'A',
    `zone-z.prefer._zone.${web} 5 IN A 10.1.0.10 | zone-z.prefer._zone.${web} 5 IN A 10.1.0.11`,
  ],
  ['', `zone-a.pin._zone.${web}`, 'A', 'NXDOMAIN'],
];

describe('options', () => {
  test.each(OPTIONS)('%s: %s %s', async (options, name, type, expected) => {
    await using server = await start(corefile(options));
    const reply = await askInside(server, name, type);
    const short = reply?.rcode === 'NOERROR' ? reply.answers.join(' | ') || 'NODATA' : reply?.rcode;
    expect(short).toBe(expected);
  });

  test('multicluster zones answer ServiceImports, by cluster too', async () => {
    const zones = 'kubernetes cluster.local clusterset.local {\n multicluster clusterset.local\n}';
    await using server = await start(`.:53 {\n${zones}\n}`);
    const answers = async (name: string): Promise<string[] | undefined> =>
      (await askInside(server, name))?.answers;
    const spread = 'spread.testns.svc.clusterset.local.';
    expect(await answers('shared.testns.svc.clusterset.local.')).toEqual([
      'shared.testns.svc.clusterset.local. 5 IN A 10.3.0.1',
    ]);
    expect(await answers(spread)).toEqual([`${spread} 5 IN A 10.3.1.1`]);
    expect(await answers(`s-0.east.${spread}`)).toEqual([`s-0.east.${spread} 5 IN A 10.3.1.1`]);
    expect(await answers(`s-0.west.${spread}`)).toEqual([]);
    expect(await answers('shared.testns.svc.cluster.local.')).toEqual([]);
  });

  test('fallthrough passes on names that do not exist, never names without data', async () => {
    await using server = await start(corefile('fallthrough', 'whoami'));
    const missing = await askInside(server, 'nothing.testns.svc.cluster.local.');
    expect(missing).toMatchObject({ rcode: 'NOERROR', authorities: [] });
    expect(missing?.additionals[0]).toMatch(/10\.240\.0\.1$/);
    const empty = await askInside(server, svc1, 'AAAA');
    expect(empty).toMatchObject({ authorities: [SOA], additionals: [] });
  });

  const REFUSED: readonly (readonly [string, string])[] = [
    ['pods sometimes', "pods 'sometimes'; expected disabled, insecure or verified"],
    ['ttl 4000', "ttl is '4000'; expected a whole number from 0 to 3600"],
    ['namespaces a\nnamespace_labels b=c', 'cannot both be set'],
    ['multicluster other.local', 'is not among the plugin'],
    ['upstream', "unknown property 'upstream'; expected one of"],
    ['ignore everything', 'expected empty_service'],
  ];
  test.each(REFUSED)('%s is refused', async (options, problem) => {
    await expect(start(corefile(options))).rejects.toThrow(problem);
  });

  test('reverse zones alone are refused, with file and line', async () => {
    await expect(start('.:53 {\n kubernetes in-addr.arpa\n}')).rejects.toThrow(
      'Corefile:2 - Error during parsing: plugin/kubernetes: expected at least one zone',
    );
  });
});

describe('before everything has been read', () => {
  test('what is not known is SERVFAIL with an SOA, what is known is answered', async () => {
    const source = new MemoryDnsSource({ synced: false });
    addNamespaces(source, 'default');
    source.set('services', serviceOf({ name: 'web', spec: { clusterIP: '10.0.0.9' } }));
    await using server = await startTestServer(corefile('startup_timeout 1ms'), { source });
    expect(await askInside(server, 'web.default.svc.cluster.local.')).toMatchObject({
      rcode: 'NOERROR',
    });
    const unknown = await askInside(server, 'db.default.svc.cluster.local.');
    expect(unknown?.rcode).toBe('SERVFAIL');
    expect(unknown?.authorities).toHaveLength(1);
    source.markSynced();
    expect((await askInside(server, 'db.default.svc.cluster.local.'))?.rcode).toBe('NXDOMAIN');
  });
});

describe('name servers', () => {
  test('are the Services whose endpoints include this server', async () => {
    const source = clusterSource();
    addNamespaces(source, 'kube-system');
    source.set(
      'services',
      serviceOf({ name: 'kube-dns', namespace: 'kube-system', spec: { clusterIP: '10.96.0.10' } }),
    );
    source.set(
      'endpointslices',
      sliceOf({
        name: 'kube-dns-a',
        namespace: 'kube-system',
        service: 'kube-dns',
        endpoints: [{ addresses: ['10.240.9.9'] }],
      }),
    );
    await using server = await startTestServer(corefile(), {
      source,
      localAddresses: ['10.240.9.9'],
    });
    expect(await askInside(server, Z, 'NS')).toMatchObject({
      answers: [`${Z} 5 IN NS kube-dns.kube-system.svc.${Z}`],
      additionals: [`kube-dns.kube-system.svc.${Z} 5 IN A 10.96.0.10`],
    });
  });
});
