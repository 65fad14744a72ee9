import { describe, expect, test } from 'vitest';
import type { Peer } from '../../../src/dns/plugin/plugin.ts';
import { askInside, clusterSource, testClock, type Said } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';
import { recordingLogger } from '../log-fixture.ts';

const FILES: Readonly<Record<string, string>> = {
  '/hosts':
    '192.0.2.1 www.example.org WWW2.example.org\n192.0.2.2 www.example.org\n2001:db8::1 www.example.org\n192.0.2.9 *.wild.example.org # comment\nnonsense\n',
  '/resolv.conf': 'search first.example.org second.example.org\nnameserver 192.0.2.53\n',
};

interface Question {
  readonly name: string;
  readonly type?: string;
  readonly peer?: Partial<Peer>;
}

async function answer(
  block: string,
  { name, type = 'A', peer = {} }: Question,
): Promise<Said | undefined> {
  await using server = await startTestServer(`.:53 {\n${block}\n}`, {
    clock: testClock(),
    source: clusterSource(),
    localAddresses: ['192.0.2.53'],
    files: {
      read: (path) =>
        path in FILES
          ? Promise.resolve(FILES[path] ?? '')
          : Promise.reject(new Error('no such file')),
    },
  });
  return askInside(server, name, type, {}, peer);
}

type Row = readonly [block: string, question: Question, expected: Partial<Said>];

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  hosts: [
    [
      'hosts /hosts',
      { name: 'WWW.example.org.' },
      {
        rcode: 'NOERROR',
        flags: 'aa',
        answers: ['www.example.org. 3600 IN A 192.0.2.1', 'www.example.org. 3600 IN A 192.0.2.2'],
      },
    ],
    [
      'hosts /hosts',
      { name: 'www2.example.org.', type: 'AAAA' },
      { rcode: 'NOERROR', answers: [], authorities: [] },
    ],
    [
      'hosts /hosts',
      { name: 'x.wild.example.org.' },
      { answers: ['x.wild.example.org. 3600 IN A 192.0.2.9'] },
    ],
    [
      'hosts /hosts',
      { name: '1.2.0.192.in-addr.arpa.', type: 'PTR' },
      {
        answers: [
          '1.2.0.192.in-addr.arpa. 3600 IN PTR www.example.org.',
          '1.2.0.192.in-addr.arpa. 3600 IN PTR www2.example.org.',
        ],
      },
    ],
    [
      'hosts /hosts {\n no_reverse\n}\nwhoami',
      { name: '1.2.0.192.in-addr.arpa.', type: 'PTR' },
      { rcode: 'NOERROR', answers: [] },
    ],
    // Addresses it does not know go on, with or without fallthrough; names in their own letter case.
    [
      'hosts /hosts\nwhoami',
      { name: '99.2.0.192.in-addr.arpa.', type: 'PTR' },
      { rcode: 'NOERROR', answers: [], additionals: [expect.any(String), expect.any(String)] },
    ],
    [
      'hosts /hosts',
      { name: '2.2.0.192.IN-ADDR.arpa.', type: 'PTR' },
      { answers: ['2.2.0.192.in-addr.arpa. 3600 IN PTR www.example.org.'] },
    ],
    // Names outside its zones are not its own, in either direction.
    [
      'hosts /hosts wild.example.org\nwhoami',
      { name: '1.2.0.192.in-addr.arpa.', type: 'PTR' },
      { answers: [] },
    ],
    ['hosts /hosts', { name: 'other.example.org.' }, { rcode: 'SERVFAIL', flags: '' }],
    [
      'hosts /hosts {\n fallthrough\n}\nwhoami',
      { name: 'other.example.org.' },
      { rcode: 'NOERROR', answers: [] },
    ],
    [
      'hosts {\n 192.0.2.3 inline.example.org\n ttl 7\n}',
      { name: 'inline.example.org.' },
      { answers: ['inline.example.org. 7 IN A 192.0.2.3'] },
    ],
  ],
  any: [
    [
      'any\nwhoami',
      { name: 'example.org.', type: 'ANY' },
      { flags: '', answers: ['example.org. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"'] },
    ],
    ['any\nwhoami', { name: 'example.org.' }, { answers: [] }],
  ],
  whoami: [
    [
      'whoami',
      { name: 'example.org.' },
      {
        flags: 'aa',
        answers: [],
        additionals: ['example.org. 0 IN A 10.240.0.1', '_udp.example.org. 0 IN SRV 0 0 40000 .'],
      },
    ],
    [
      'whoami',
      { name: 'example.org.', peer: { address: '2001:db8::9', family: 'IPv6', protocol: 'tcp' } },
      {
        additionals: [
          'example.org. 0 IN AAAA 2001:db8::9',
          '_tcp.example.org. 0 IN SRV 0 0 40000 .',
        ],
      },
    ],
  ],
  minimal: [
    [
      'minimal\nkubernetes cluster.local',
      { name: 'svc1.testns.svc.cluster.local.', type: 'SRV' },
      { additionals: [] },
    ],
    [
      'minimal\nkubernetes cluster.local',
      { name: 'no.testns.svc.cluster.local.' },
      { rcode: 'NXDOMAIN', authorities: [expect.stringContaining('SOA')] },
    ],
  ],
  acl: [
    ['acl {\n block net 10.240.0.0/16\n}\nwhoami', { name: 'example.org.' }, { rcode: 'REFUSED' }],
    ['acl {\n block net 10.250.0.0/16\n}\nwhoami', { name: 'example.org.' }, { rcode: 'NOERROR' }],
    ['acl example.net {\n block\n}\nwhoami', { name: 'example.org.' }, { rcode: 'NOERROR' }],
    [
      'acl {\n filter type AAAA\n}\nwhoami',
      { name: 'example.org.', type: 'AAAA' },
      { rcode: 'NOERROR', additionals: [] },
    ],
    [
      'acl {\n allow net 10.240.0.1\n block\n}\nwhoami',
      { name: 'example.org.' },
      { rcode: 'NOERROR' },
    ],
    // An explicit allow ends the search; a rule that says nothing does not.
    [
      'acl {\n allow net 10.240.0.1\n}\nacl {\n block\n}\nwhoami',
      { name: 'example.org.' },
      { rcode: 'NOERROR' },
    ],
    [
      'acl {\n allow net 10.250.0.1\n}\nacl {\n block\n}\nwhoami',
      { name: 'example.org.' },
      { rcode: 'REFUSED' },
    ],
    [
      'acl {\n allow type A net *\n block type *\n}\nwhoami',
      { name: 'example.org.', type: 'MX' },
      { rcode: 'REFUSED' },
    ],
  ],
  dns64: [
    [
      'dns64 {\n allow_ipv4\n}\nhosts /hosts',
      { name: 'www2.example.org.', type: 'AAAA' },
      { flags: '', answers: ['www2.example.org. 600 IN AAAA 64:ff9b::c000:201'] },
    ],
    [
      'dns64 {\n allow_ipv4\n}\nhosts /hosts',
      { name: 'www.example.org.', type: 'AAAA' },
      { answers: ['www.example.org. 3600 IN AAAA 2001:db8::1'] },
    ],
    ['dns64\nhosts /hosts', { name: 'www2.example.org.', type: 'AAAA' }, { answers: [] }],
    // RFC 6052 §2.4: the table of prefixes.
    [
      'dns64 2001:db8::/32 {\n allow_ipv4\n}\nhosts {\n 192.0.2.33 a.example.org\n}',
      { name: 'a.example.org.', type: 'AAAA' },
      { answers: ['a.example.org. 600 IN AAAA 2001:db8:c000:221::'] },
    ],
    [
      'dns64 2001:db8:100::/40 {\n allow_ipv4\n}\nhosts {\n 192.0.2.33 a.example.org\n}',
      { name: 'a.example.org.', type: 'AAAA' },
      { answers: ['a.example.org. 600 IN AAAA 2001:db8:1c0:2:21::'] },
    ],
    [
      'dns64 2001:db8:122::/48 {\n allow_ipv4\n}\nhosts {\n 192.0.2.33 a.example.org\n}',
      { name: 'a.example.org.', type: 'AAAA' },
      { answers: ['a.example.org. 600 IN AAAA 2001:db8:122:c000:2:2100::'] },
    ],
    [
      'dns64 2001:db8:122:300::/56 {\n allow_ipv4\n}\nhosts {\n 192.0.2.33 a.example.org\n}',
      { name: 'a.example.org.', type: 'AAAA' },
      { answers: ['a.example.org. 600 IN AAAA 2001:db8:122:3c0:0:221::'] },
    ],
    [
      'dns64 2001:db8:122:344::/64 {\n allow_ipv4\n}\nhosts {\n 192.0.2.33 a.example.org\n}',
      { name: 'a.example.org.', type: 'AAAA' },
      { answers: ['a.example.org. 600 IN AAAA 2001:db8:122:344:c0:2:2100:0'] },
    ],
  ],
  erratic: [
    ['erratic {\n drop 0\n}', { name: 'x.org.' }, { answers: ['x.org. 0 IN A 192.0.2.53'] }],
    ['erratic {\n drop 0\n truncate 1\n}', { name: 'x.org.' }, { flags: 'aa tc' }],
    ['erratic', { name: 'x.org.' }, { rcode: 'no reply' }],
  ],
  k8s_external: [
    [
      'k8s_external example.net\nkubernetes cluster.local',
      { name: 'balanced.testns.example.net.' },
      {
        rcode: 'NOERROR',
        answers: [
          'balanced.testns.example.net. 5 IN A 192.0.2.7',
          'balanced.testns.example.net. 5 IN A 192.0.2.70',
          'balanced.testns.example.net. 5 IN CNAME lb.example.org.',
        ],
      },
    ],
    [
      'k8s_external example.net\nkubernetes cluster.local',
      { name: 'svc1.testns.example.net.' },
      {
        rcode: 'NXDOMAIN',
        authorities: [
          'example.net. 5 IN SOA ns1.dns.example.net. hostmaster.dns.example.net. 1767225600 7200 1800 86400 5',
        ],
      },
    ],
    [
      'k8s_external example.net {\n headless\n}\nkubernetes cluster.local',
      { name: 'web.testns.example.net.' },
      {
        answers: [
          'web.testns.example.net. 5 IN A 10.1.0.10',
          'web.testns.example.net. 5 IN A 10.1.0.11',
        ],
      },
    ],
    [
      'k8s_external example.net\nkubernetes cluster.local',
      { name: 'example.net.', type: 'NS' },
      {
        answers: ['example.net. 5 IN NS ns1.dns.example.net.'],
        additionals: ['ns1.dns.example.net. 5 IN A 192.0.2.53'],
      },
    ],
    [
      'k8s_external example.net\nkubernetes cluster.local',
      { name: '_http._tcp.balanced.testns.example.net.', type: 'SRV' },
      {
        answers: expect.arrayContaining([
          '_http._tcp.balanced.testns.example.net. 5 IN SRV 0 33 80 balanced.testns.example.net.',
        ]),
      },
    ],
    [
      'k8s_external example.net in-addr.arpa\nkubernetes cluster.local',
      { name: '7.2.0.192.in-addr.arpa.', type: 'PTR' },
      { answers: ['7.2.0.192.in-addr.arpa. 5 IN PTR balanced.testns.example.net.'] },
    ],
    [
      'k8s_external example.net in-addr.arpa\nkubernetes cluster.local {\n namespaces empty\n}',
      { name: '7.2.0.192.in-addr.arpa.', type: 'PTR' },
      { rcode: 'NXDOMAIN' },
    ],
  ],
  autopath: [
    [
      'autopath @kubernetes\nkubernetes cluster.local {\n pods verified\n}',
      { name: 'svc1.testns.testns.svc.cluster.local.' },
      {
        rcode: 'NOERROR',
        answers: [
          'svc1.testns.testns.svc.cluster.local. 5 IN CNAME svc1.testns.svc.cluster.local.',
          'svc1.testns.svc.cluster.local. 5 IN A 10.0.0.1',
        ],
      },
    ],
    [
      'autopath @kubernetes\nkubernetes cluster.local {\n pods verified\n}\ntemplate IN A example.com {\n answer "{{ .Name }} 9 IN A 192.0.2.5"\n}',
      { name: 'www.example.com.testns.svc.cluster.local.' },
      {
        answers: [
          'www.example.com.testns.svc.cluster.local. 9 IN CNAME www.example.com.',
          'www.example.com. 9 IN A 192.0.2.5',
        ],
      },
    ],
    [
      'autopath @kubernetes\nkubernetes cluster.local {\n pods verified\n}',
      { name: 'svc1.testns.testns.svc.cluster.local.', peer: { address: '10.9.9.9' } },
      { rcode: 'NXDOMAIN' },
    ],
    [
      'autopath /resolv.conf\nhosts {\n 192.0.2.4 a.second.example.org\n fallthrough\n}\ntemplate IN A . {\n match first\n rcode NXDOMAIN\n fallthrough\n}',
      { name: 'a.first.example.org.' },
      {
        answers: [
          'a.first.example.org. 3600 IN CNAME a.second.example.org.',
          'a.second.example.org. 3600 IN A 192.0.2.4',
        ],
      },
    ],
  ],
  template: [
    // The README's own example: parentheses, and a name without its last dot.
    [
      'template IN SOA example.org {\n answer "{{ .Zone }} 3600 IN SOA ns1.{{ .Zone }} admin.example.org (1 60 120 86400 3600)"\n}',
      { name: 'example.org.', type: 'SOA' },
      {
        answers: [
          'example.org. 3600 IN SOA ns1.example.org. admin.example.org. 1 60 120 86400 3600',
        ],
      },
    ],
    [
      'template IN A example {\n match "^ip0a(?P<b>[a-f0-9]{2})(?P<c>[a-f0-9]{2})(?P<d>[a-f0-9]{2})[.]example[.]$"\n answer "{{ .Name }} 60 IN A 10.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.{{ parseInt .Group.d 16 8 }}"\n}',
      { name: 'ip0a7bff01.example.' },
      { answers: ['ip0a7bff01.example. 60 IN A 10.123.255.1'] },
    ],
    [
      'template IN TXT {\n answer "{{ .Question.Name }} 60 IN TXT \\"{{- .Question.Qtype -}} \\""\n}',
      { name: 'X.org.', type: 'TXT' },
      { answers: ['X.org. 60 IN TXT "16"'] },
    ],
    // Who asks for anything asks for this too.
    [
      'template IN A {\n answer "{{ .Name }} 60 IN {{ .Type }} 192.0.2.1"\n}',
      { name: 'x.org.', type: 'ANY' },
      { answers: ['x.org. 60 IN A 192.0.2.1'] },
    ],
    [
      'template IN A {\n answer "{{ .Name }} 60 IN A nowhere"\n}',
      { name: 'x.org.' },
      { rcode: 'SERVFAIL', answers: [] },
    ],
    [
      'template IN A example.org {\n match "^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]"\n answer "{{ .Name }} 60 IN A 192.0.{{ .Group.a }}.{{ index .Match 2 }}"\n}',
      { name: 'ip-2-77.example.org.' },
      { flags: 'aa', answers: ['ip-2-77.example.org. 60 IN A 192.0.2.77'] },
    ],
    [
      'template IN A example.org {\n match "^never$"\n}',
      { name: 'x.example.org.' },
      { rcode: 'SERVFAIL' },
    ],
    [
      'template IN A example.org {\n match "^never$"\n fallthrough\n}\nwhoami',
      { name: 'x.example.org.' },
      { rcode: 'NOERROR' },
    ],
    [
      'template ANY ANY example.org {\n rcode NXDOMAIN\n authority "{{ .Zone }} 60 {{ .Class }} SOA ns.{{ .Zone }} h.{{ .Zone }} 1 60 60 60 60"\n}',
      { name: 'x.example.org.', type: 'TXT' },
      {
        rcode: 'NXDOMAIN',
        authorities: ['example.org. 60 IN SOA ns.example.org. h.example.org. 1 60 60 60 60'],
      },
    ],
    [
      'template IN MX {\n answer "{{ .Name }} 60 IN MX 10 mail.{{ .Name }}"\n additional "mail.{{ .Name }} 60 IN A 192.0.2.1"\n}',
      { name: 'example.org.', type: 'MX' },
      {
        answers: ['example.org. 60 IN MX 10 mail.example.org.'],
        additionals: ['mail.example.org. 60 IN A 192.0.2.1'],
      },
    ],
  ],
};

describe.each(Object.entries(ROWS))('%s', (_, rows) => {
  test.each(rows)('%s: %j', async (block, question, expected) => {
    const reply = (await answer(block, question)) ?? { rcode: 'no reply' };
    expect(reply).toMatchObject(expected);
  });
});

describe('options that make no sense are refused', () => {
  test.each([
    ['any x', 'any takes no arguments'],
    ['any\nany', 'this plugin can only be used once per Server Block'],
    ['acl {\n permit net *\n}', "unknown property 'permit'"],
    ['acl {\n allow net nowhere\n}', "illegal network 'nowhere'"],
    ['acl {\n allow type NOPE\n}', "'NOPE' is not a record type"],
    ['bufsize 100', "bufsize is '100'; expected a whole number from 512 to 4096"],
    ['dns64 10.0.0.0/8', 'invalid prefix'],
    ['dns64 2001:db8::/63', 'invalid prefix'],
    ['template IN', 'template needs a class and a type'],
    ['template IN A {\n answer "{{ .Nope }}"\n}', 'is not supported; expected .Name'],
    ['template IN A {\n match "("\n}', 'is not a regular expression'],
    ['hosts {\n colour blue\n}', 'neither an option nor'],
    ['autopath', 'autopath needs a resolv.conf file or @kubernetes'],
    ['autopath /nothing', "no search domains found in '/nothing'"],
    ['log a b "{type}" "{name}"', 'log takes one format'],
    ['log . {\n class strange\n}', "class 'strange'; expected"],
    ['errors {\n consolidate 5m "("\n}', 'is not a regular expression'],
    ['reload 1s', 'expected an interval of at least 2s'],
    ['health nowhere', 'expected at most one ADDRESS:PORT'],
    ['transfer', "transfer needs 'to ADDRESS...|*'"],
    ['transfer {\n to somebody\n}', "to 'somebody'; expected ADDRESS[:PORT] or *"],
    ['rewrite name', 'name: expected [exact|prefix|suffix|substring|regex] FROM TO'],
    ['rewrite colour a b', "invalid rule 'colour'"],
    ['rewrite ttl a.org never', "invalid TTL 'never'"],
    ['forward .', 'forward needs a zone and at least one upstream'],
    ['forward . tls://192.0.2.1', 'only plain DNS upstreams are supported'],
    ['forward . 192.0.2.1 {\n doh_method GET\n}', 'forward over TLS is not supported'],
    ['forward . 192.0.2.1 {\n resolver 192.0.2.2\n}', 'resolver is for upstreams that are names'],
    ['forward . 192.0.2.1 {\n force_tcp now\n}', 'force_tcp takes no arguments'],
    ['forward . 192.0.2.1 {\n max_idle_conns few\n}', "max_idle_conns is 'few'; expected a whole"],
    ['loadbalance weighted /hosts {\n reload often\n}', "reload is 'often'; expected a duration"],
    ['forward . somewhere', 'not an IP address or file: "somewhere"'],
    ['forward . /resolv.conf {\n policy fair\n}', "policy 'fair'; expected random"],
    ['loadbalance fair', "expected 'round_robin' or 'weighted FILE'"],
    ['etcd', 'this server has no etcd client'],
    ['file', 'file needs a zone file'],
    ['file /nothing', 'no such file'],
    ['colours', "Unknown directive 'colours'; expected one of acl, any,"],
  ])('%s', async (block, problem) => {
    await expect(answer(block, { name: '.' })).rejects.toThrow(problem);
    await expect(answer(block, { name: '.' })).rejects.toThrow(
      /^Corefile:\d+ - Error during parsing: /,
    );
  });
});

test('chaos answers in its own class', async () => {
  await using server = await startTestServer('. {\n chaos v1 me you\n}');
  const message = { name: 'authors.bind.', type: 16, class: 3 };
  const reply = await askInside(server, 'authors.bind.', 'TXT', { questions: [message] });
  expect(reply?.answers).toEqual(['authors.bind. 0 CH TXT "me"', 'authors.bind. 0 CH TXT "you"']);
});

test('log prints what CoreDNS prints', async () => {
  const { log, lines } = recordingLogger();
  await using server = await startTestServer(
    '. {\n metadata\n log . "{common} {/kubernetes/client-pod-name} {nothing}"\n kubernetes cluster.local {\n  pods verified\n }\n}',
    { log, source: clusterSource(), clock: testClock() },
  );
  const edns = { udpBytes: 1232, version: 0, dnssecOk: true, options: [] };
  await askInside(server, 'svc1.testns.svc.cluster.local.', 'A', { id: 4711, edns });
  await askInside(
    server,
    'NO.testns.svc.cluster.local.',
    'AAAA',
    { id: 1 },
    { address: '2001:db8:2::1', protocol: 'tcp' },
  );
  expect(lines).toEqual([
    'info: 10.240.0.1:40000 - 4711 "A IN svc1.testns.svc.cluster.local. udp 0 true 1232" NOERROR qr,aa,rd 92 0s client -',
    'info: [2001:db8:2::1]:40000 - 1 "AAAA IN no.testns.svc.cluster.local. tcp 0 false 65535" NXDOMAIN qr,aa,rd 138 0s client -',
  ]);
});

test('errors says why, once for many when told so', async () => {
  const { log, lines } = recordingLogger();
  const clock = testClock();
  const server = await startTestServer(
    '. {\n errors {\n  consolidate 5m "^no next"\n }\n hosts {\n  192.0.2.1 a.org\n  fallthrough\n }\n}',
    { log, clock },
  );
  for (let query = 0; query < 3; query += 1) await askInside(server, 'b.org.');
  expect(lines).toEqual([]);
  clock.advance(300_000);
  expect(lines).toEqual(["error: plugin/errors: 3 errors like '^no next' occurred in last 5m0s"]);
  await server[Symbol.asyncDispose]();
  await using plain = await startTestServer(
    '. {\n errors\n hosts {\n 192.0.2.1 a.org\n fallthrough\n}\n}',
    { log, clock },
  );
  await askInside(plain, 'B.org.');
  expect(lines.at(-1)).toBe('error: plugin/errors: 2 b.org. A: no next plugin found');
  await using traced = await startTestServer(
    '. {\n errors {\n  stacktrace\n }\n hosts {\n 192.0.2.1 a.org\n fallthrough\n}\n}',
    { log, clock },
  );
  await askInside(traced, 'b.org.');
  expect(lines.at(-1)).toMatch(/: no next plugin found\nError: no next plugin found\n +at /);
});

test('log knows no code of errors that nobody has written yet, as CoreDNS', async () => {
  const { log, lines } = recordingLogger();
  await using server = await startTestServer('. {\n log\n hosts {\n 192.0.2.1 a.org\n}\n}', {
    log,
    clock: testClock(),
  });
  await askInside(server, 'b.org.', 'A', { id: 5 });
  expect(lines).toEqual([
    'info: 10.240.0.1:40000 - 5 "A IN b.org. udp 0 false 512" NOERROR - 0 0s',
  ]);
});

test('loadbalance gives every order about as often, CNAMEs first', async () => {
  await using server = await startTestServer(
    '. {\n loadbalance\n hosts {\n 192.0.2.1 a.org\n 192.0.2.2 a.org\n 192.0.2.3 a.org\n}\n}',
  );
  const orders = new Map<string, number>();
  for (let query = 0; query < 600; query += 1) {
    const order = (await askInside(server, 'a.org.'))?.answers.map((text) => text.at(-1)).join('');
    orders.set(order ?? '', (orders.get(order ?? '') ?? 0) + 1);
  }
  expect([...orders.keys()].toSorted()).toEqual(['123', '132', '213', '231', '312', '321']);
  for (const count of orders.values()) expect(count).toBeGreaterThan(60);
});

test('loadbalance reads weights again', async () => {
  const clock = testClock();
  let weights = 'a.org\n192.0.2.1 255\n192.0.2.2 1\n';
  await using server = await startTestServer(
    '. {\n loadbalance weighted /weights {\n reload 10s\n}\n hosts {\n 192.0.2.1 a.org\n 192.0.2.2 a.org\n}\n}',
    { clock, files: { read: (path) => Promise.resolve(path === '/weights' ? weights : '') } },
  );
  const first = async (): Promise<number> => {
    let count = 0;
    for (let query = 0; query < 100; query += 1)
      if ((await askInside(server, 'a.org.'))?.answers[0]?.endsWith('.1') === true) count += 1;
    return count;
  };
  expect(await first()).toBeGreaterThan(90);
  weights = 'a.org\n192.0.2.1 1\n192.0.2.2 255\n';
  clock.advance(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await first()).toBeLessThan(10);
});
