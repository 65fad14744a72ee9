import { describe, expect, test } from 'vitest';
import { RecordType } from '../../../src/dns/message/codes.ts';
import { queryFor, replyTo, type EdnsOption } from '../../../src/dns/message/message.ts';
import type { DnsRequest } from '../../../src/dns/plugin/plugin.ts';
import { Reuse } from '../../../src/dns/plugin/reuse.ts';
import { parseRule } from '../../../src/dns/plugins/rewrite/parse-rule.ts';
import { askInside, TEST_PEER } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';

const BELOW = `hosts {
  192.0.2.1 new.example.org
  192.0.2.2 a.internal.example.org
  ttl 600
  fallthrough
}
template IN CNAME alias.example.org {
  answer "alias.example.org. 60 IN CNAME old-target.example.org."
}
template IN SRV svc.example.org {
  answer "{{ .Name }} 60 IN SRV 0 0 80 pod-0.{{ .Name }}"
}
template IN A alias.example.org {
  answer "alias.example.org. 60 IN CNAME old-target.example.org."
}
whoami`;

/** Rule, name, type, answers. */
const ROWS: readonly (readonly [string, string, string, readonly string[]])[] = [
  [
    'rewrite name old.example.org new.example.org',
    'OLD.example.org.',
    'A',
    ['OLD.example.org. 600 IN A 192.0.2.1'],
  ],
  ['rewrite name exact old.example.org new.example.org', 'other.example.org.', 'A', []],
  ['rewrite name prefix old new', 'old.example.org.', 'A', ['new.example.org. 600 IN A 192.0.2.1']],
  [
    'rewrite name prefix old new answer auto',
    'old.example.org.',
    'A',
    ['old.example.org. 600 IN A 192.0.2.1'],
  ],
  [
    'rewrite name suffix .corp .example.org answer auto',
    'new.corp.',
    'A',
    ['new.corp. 600 IN A 192.0.2.1'],
  ],
  [
    'rewrite name substring outer internal answer auto',
    'a.outer.example.org.',
    'A',
    ['a.outer.example.org. 600 IN A 192.0.2.2'],
  ],
  // All occurrences: example has one, too.
  ['rewrite name substring x internal', 'a.x.example.org.', 'A', []],
  // Without `answer auto` the reply keeps the name that was found.
  [
    'rewrite name substring old new',
    'old.example.org.',
    'A',
    ['new.example.org. 600 IN A 192.0.2.1'],
  ],
  [
    'rewrite name substring zz n',
    'zzew.example.org.',
    'A',
    ['new.example.org. 600 IN A 192.0.2.1'],
  ],
  [
    'rewrite name substring o0 o answer auto',
    'new.example.o0rg.',
    'A',
    ['new.example.o0rg. 600 IN A 192.0.2.1'],
  ],
  // Names end in a dot when an expression looks at them.
  ['rewrite name regex ^old\\.example\\.org$ new.example.org', 'old.example.org.', 'A', []],
  [
    'rewrite name regex ^old\\.(.*)\\.$ new.{1}.',
    'old.example.org.',
    'A',
    ['new.example.org. 600 IN A 192.0.2.1'],
  ],
  // Names below the one that was renamed get their name back, and so do the names records point at.
  [
    'rewrite name cluster.example.net svc.example.org',
    'cluster.example.net.',
    'SRV',
    ['cluster.example.net. 60 IN SRV 0 0 80 pod-0.cluster.example.net.'],
  ],
  [
    'rewrite name suffix .corp .example.org answer auto',
    'svc.corp.',
    'SRV',
    ['svc.corp. 60 IN SRV 0 0 80 pod-0.svc.corp.'],
  ],
  [
    'rewrite name regex (.*)-corp\\.example\\.net {1}.internal.example.org answer name (.*)\\.internal\\.example\\.org {1}-corp.example.net',
    'a-corp.example.net.',
    'A',
    ['a-corp.example.net. 600 IN A 192.0.2.2'],
  ],
  [
    'rewrite stop {\n name regex (.*)-x\\.org {1}.internal.example.org\n answer name (.*)\\.internal\\.example\\.org {1}-x.org\n}',
    'a-x.org.',
    'A',
    ['a-x.org. 600 IN A 192.0.2.2'],
  ],
  ['rewrite type AAAA A', 'new.example.org.', 'AAAA', ['new.example.org. 600 IN A 192.0.2.1']],
  [
    'rewrite ttl exact new.example.org 15',
    'new.example.org.',
    'A',
    ['new.example.org. 15 IN A 192.0.2.1'],
  ],
  [
    'rewrite ttl suffix example.org 30-60',
    'new.example.org.',
    'A',
    ['new.example.org. 60 IN A 192.0.2.1'],
  ],
  [
    'rewrite ttl suffix example.org -60',
    'new.example.org.',
    'A',
    ['new.example.org. 60 IN A 192.0.2.1'],
  ],
  [
    'rewrite continue name old.example.org new.example.org\nrewrite ttl exact new.example.org 5',
    'old.example.org.',
    'A',
    ['old.example.org. 5 IN A 192.0.2.1'],
  ],
  [
    'rewrite name old.example.org new.example.org\nrewrite ttl exact new.example.org 5',
    'old.example.org.',
    'A',
    ['old.example.org. 600 IN A 192.0.2.1'],
  ],
  [
    'rewrite cname exact old-target.example.org new.example.org',
    'alias.example.org.',
    'A',
    ['alias.example.org. 60 IN CNAME new.example.org.', 'new.example.org. 600 IN A 192.0.2.1'],
  ],
];

function requestWith(options: readonly EdnsOption[]): DnsRequest {
  const question = { name: 'x.org.', type: RecordType.AAAA, class: 1 };
  const edns = { udpBytes: 1232, version: 0, dnssecOk: false, options };
  const message = queryFor(question, { edns });
  return {
    message,
    question,
    name: question.name,
    peer: TEST_PEER,
    local: { address: '192.0.2.53', port: 53 },
    queryBytes: 0,
    server: 'dns://:53',
    zone: '.',
    receivedAt: 0,
    reuse: new Reuse(),
    limits: { udpBytes: 1232 },
    metadata: new Map(),
    lookup: () => Promise.resolve(replyTo(message)),
  };
}

describe('rewrite', () => {
  test.each(ROWS)('%s: %s %s', async (rule, name, type, answers) => {
    await using server = await startTestServer(`. {\n${rule}\n${BELOW}\n}`);
    expect((await askInside(server, name, type))?.answers).toEqual(answers);
  });

  test('rcode changes what the client is told', async () => {
    await using server = await startTestServer(
      '. {\n rewrite rcode suffix example.org SERVFAIL NXDOMAIN\n hosts {\n 192.0.2.1 a.org\n}\n}',
    );
    expect((await askInside(server, 'b.example.org.'))?.rcode).toBe('NXDOMAIN');
    expect((await askInside(server, 'b.example.net.'))?.rcode).toBe('SERVFAIL');
  });

  test('edns0 adds options to what is forwarded, from variables too', async () => {
    await using echo = await startTestServer('. {\n nsid upstream\n erratic {\n drop 0\n}\n}');
    const port = echo.addresses[0]?.port ?? 0;
    await using server = await startTestServer(
      `. {\n rewrite continue edns0 nsid set\n rewrite edns0 local set 0xffee {client_ip}\n forward . 127.0.0.1:${port}\n}`,
    );
    // The upstream names itself only when it is asked to.
    const edns = { udpBytes: 1232, version: 0, dnssecOk: false, options: [] };
    expect(await askInside(server, 'x.org.', 'A', { edns })).toMatchObject({ rcode: 'NOERROR' });
  });

  test('edns0 changes the options of a query', () => {
    const option = (code: number, text: string): EdnsOption => ({
      code,
      data: Buffer.from(text, 'latin1'),
    });
    const rows: readonly (readonly [string, EdnsOption[], EdnsOption[] | 'as it was'])[] = [
      ['local set 0xffee 0x6162', [], [option(0xffee, 'ab')]],
      ['local set 0xffee ab', [option(0xffee, 'x')], [option(0xffee, 'ab')]],
      ['local append 0xffee ab', [option(0xffee, 'x')], 'as it was'],
      ['local replace 0xffee ab', [], 'as it was'],
      ['local unset 0xffee', [option(0xffee, 'x'), option(1, 'y')], [option(1, 'y')]],
      ['local unset 0xffee', [option(1, 'y')], 'as it was'],
      ['nsid unset', [option(3, '')], []],
      ['local set 65001 {qname}', [], [option(65_001, 'x.org.')]],
      ['local set 65001 {qtype}', [], [option(65_001, '\u0000\u001c')]],
      ['local set 65001 {protocol}', [], [option(65_001, 'udp')]],
      ['subnet set 24 56', [], [option(8, '\u0000\u0001\u0018\u0000\u000a\u00f0\u0000')]],
    ];
    for (const [words, before, after] of rows) {
      const at = { text: 'rewrite', quoted: false, file: 'Corefile', line: 1 };
      const tokens = ['edns0', ...words.split(' ')].map((text) => ({ ...at, text }));
      const parsed = parseRule(true, tokens, at);
      const applied = parsed.kind === 'rule' ? parsed.rule.apply(requestWith(before)) : undefined;
      const options = applied?.request.message.edns?.options ?? 'as it was';
      expect([words, options]).toEqual([words, after]);
    }
  });

  test('a name that becomes too long is an error, not a crash', async () => {
    const long = Array.from({ length: 4 }, () => 'a'.repeat(60)).join('.');
    await using server = await startTestServer(`. {\n rewrite name prefix x ${long}.\n whoami\n}`);
    expect((await askInside(server, `x${'b'.repeat(30)}.org.`))?.rcode).toBe('SERVFAIL');
  });
});
