import { describe, expect, test } from 'vitest';
import { askInside } from '../cluster-fixture.ts';
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

  test('a name that becomes too long is an error, not a crash', async () => {
    const long = Array.from({ length: 4 }, () => 'a'.repeat(60)).join('.');
    await using server = await startTestServer(`. {\n rewrite name prefix x ${long}.\n whoami\n}`);
    expect((await askInside(server, `x${'b'.repeat(30)}.org.`))?.rcode).toBe('SERVFAIL');
  });
});
