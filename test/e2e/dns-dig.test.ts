// The record table of the DNS specification, asked with a real dig of a real `podwire dns`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLUSTER_MANIFEST } from '../dns/cluster-fixture.ts';
import { dig, RunningDns } from './support/dns.ts';
import { finished, has, runPodwire } from './support/podwire.ts';

const COREFILE = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods verified
        ttl 30
    }
    transfer {
        to 127.0.0.1
    }
    hosts {
        192.0.2.44 target.example.org
        fallthrough
    }
}
insecure.local:53 {
    kubernetes {
        pods insecure
    }
}
`;

const N = 'testns.svc.cluster.local.';
const SOA =
  'cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 30';

/** dig's arguments, then what it prints. */
const SESSIONS: readonly (readonly [string, readonly string[]])[] = [
  [`svc1.${N} A`, ['NOERROR qr aa rd', `svc1.${N} 30 IN A 10.0.0.1`]],
  [`svc1.${N} AAAA`, ['NOERROR qr aa rd', SOA]],
  [`dual.${N} AAAA`, ['NOERROR qr aa rd', `dual.${N} 30 IN AAAA 2001:db8::4`]],
  [
    `SvC1.TESTNS.svc.Cluster.LOCAL. A`,
    ['NOERROR qr aa rd', 'SvC1.TESTNS.svc.Cluster.LOCAL. 30 IN A 10.0.0.1'],
  ],
  [
    `_http._tcp.svc1.${N} SRV`,
    [
      'NOERROR qr aa rd',
      `_http._tcp.svc1.${N} 30 IN SRV 0 100 80 svc1.${N}`,
      `svc1.${N} 30 IN A 10.0.0.1`,
    ],
  ],
  // A StatefulSet's pods.
  [`web.${N} A`, ['NOERROR qr aa rd', `web.${N} 30 IN A 10.1.0.10`, `web.${N} 30 IN A 10.1.0.11`]],
  [`web-1.web.${N} A`, ['NOERROR qr aa rd', `web-1.web.${N} 30 IN A 10.1.0.11`]],
  [
    `_http._tcp.web.${N} SRV`,
    [
      'NOERROR qr aa rd',
      `_http._tcp.web.${N} 30 IN SRV 0 50 80 web-0.web.${N}`,
      `_http._tcp.web.${N} 30 IN SRV 0 50 80 web-1.web.${N}`,
      `web-0.web.${N} 30 IN A 10.1.0.10`,
      `web-1.web.${N} 30 IN A 10.1.0.11`,
    ],
  ],
  [`10-1-0-20.plain.${N} A`, ['NOERROR qr aa rd', `10-1-0-20.plain.${N} 30 IN A 10.1.0.20`]],
  [`nobody.${N} A`, ['NXDOMAIN qr aa rd', SOA]],
  [`nothing.${N} A`, ['NXDOMAIN qr aa rd', SOA]],
  ['-x 10.0.0.1', ['NOERROR qr aa rd', `1.0.0.10.in-addr.arpa. 30 IN PTR svc1.${N}`]],
  ['-x 10.1.0.10', ['NOERROR qr aa rd', `10.0.1.10.in-addr.arpa. 30 IN PTR web-0.web.${N}`]],
  [
    '-x 2001:db8:1::20',
    [
      'NOERROR qr aa rd',
      `0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 30 IN PTR 2001-db8-1--20.plain.${N}`,
    ],
  ],
  [`alias.${N} CNAME`, ['NOERROR qr aa rd', `alias.${N} 30 IN CNAME target.example.org.`]],
  [
    `alias.${N} A`,
    [
      'NOERROR qr aa rd',
      `alias.${N} 30 IN CNAME target.example.org.`,
      'target.example.org. 3600 IN A 192.0.2.44',
    ],
  ],
  [
    `chain.${N} A`,
    [
      'NOERROR qr aa rd',
      `chain.${N} 30 IN CNAME inner.${N}`,
      `inner.${N} 30 IN CNAME svc1.${N}`,
      `svc1.${N} 30 IN A 10.0.0.1`,
    ],
  ],
  [`dangling.${N} A`, ['NOERROR qr aa rd', SOA]],
  [
    'dns-version.cluster.local. TXT',
    ['NOERROR qr aa rd', 'dns-version.cluster.local. 28800 IN TXT "1.1.0"'],
  ],
  ['cluster.local. SOA', ['NOERROR qr aa rd', SOA]],
  [
    'cluster.local. NS',
    [
      'NOERROR qr aa rd',
      'cluster.local. 30 IN NS ns.dns.cluster.local.',
      'ns.dns.cluster.local. 30 IN A 127.0.0.1',
    ],
  ],
  [`testns.svc.cluster.local. A`, ['NOERROR qr aa rd', SOA]],
  [
    '10-240-0-1.testns.pod.cluster.local. A',
    ['NOERROR qr aa rd', '10-240-0-1.testns.pod.cluster.local. 30 IN A 10.240.0.1'],
  ],
  ['10-240-0-9.testns.pod.cluster.local. A', ['NXDOMAIN qr aa rd', SOA]],
  [
    '10-9-9-9.testns.pod.insecure.local. A',
    ['NOERROR qr aa rd', '10-9-9-9.testns.pod.insecure.local. 5 IN A 10.9.9.9'],
  ],
  [`svc1.${N} MX`, ['NOERROR qr aa rd', SOA]],
  [`svc1.${N} A +norecurse`, ['NOERROR qr aa', `svc1.${N} 30 IN A 10.0.0.1`]],
  [`svc1.${N} A +tcp`, ['NOERROR qr aa rd', `svc1.${N} 30 IN A 10.0.0.1`]],
  [`svc1.${N} A +edns=1 +noednsnegotiation`, ['BADVERS qr rd']],
  ['www.example.com. A', ['SERVFAIL qr rd']],
];

describe.skipIf(!has('dig'))('dig (skipped without dig)', () => {
  let folder = '';
  let dns: RunningDns;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-dns-'));
    writeFileSync(join(folder, 'Corefile'), COREFILE);
    dns = await RunningDns.start(['--corefile', join(folder, 'Corefile'), '-f', CLUSTER_MANIFEST]);
  });
  afterAll(async () => {
    await dns[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test.each(SESSIONS)('dig %s', async (line, printed) => {
    const lines = await dig(dns.port, line);
    expect(lines.map((text) => text.replace(/(hostmaster\S+) \d+/, '$1 SERIAL'))).toEqual(printed);
  });

  test('sixty addresses fit only larger replies; dig comes back over TCP', async () => {
    const flagsOf = async (more: string): Promise<string | undefined> =>
      (await dig(dns.port, `big.${N} A ${more}`))[0];
    expect(await flagsOf('+noedns +ignore')).toBe('NOERROR qr aa tc rd');
    expect(await flagsOf('+bufsize=512 +ignore')).toBe('NOERROR qr aa tc rd');
    expect(await flagsOf('+bufsize=1232')).toBe('NOERROR qr aa rd');
    expect(await dig(dns.port, `big.${N} A +bufsize=512`)).toHaveLength(61);
  });

  test('a transfer is whole', async () => {
    const lines = await dig(dns.port, 'cluster.local. AXFR');
    expect(lines[0]).toMatch(/^cluster\.local\. 30 IN SOA /);
    expect(lines.at(-1)).toBe(lines[0]);
    expect(lines).toContain(`_admin._tcp.web.${N} 30 IN SRV 0 50 9000 web-1.web.${N}`);
  });

  test('nslookup says the same', async () => {
    const args = ['-port=' + dns.port, `svc1.${N}`, '127.0.0.1'];
    const { stdout } = await finished('nslookup', args);
    expect(stdout).toContain(`Name:\tsvc1.${N.slice(0, -1)}\nAddress: 10.0.0.1`);
    const missing = await finished('nslookup', ['-port=' + dns.port, `no.${N}`, '127.0.0.1']);
    expect(missing.stdout).toContain(`server can't find no.${N.slice(0, -1)}: NXDOMAIN`);
  });
});

test('explain needs no server', async () => {
  const { code, stdout } = await runPodwire([
    'dns',
    'explain',
    'nobody',
    '-f',
    CLUSTER_MANIFEST,
    '--from',
    'testns/client',
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /kubernetes: the Service has no ready endpoint: .* \[Service testns\/nobody\]/,
  );
  expect(stdout).toContain('nobody: not found after 8 queries.');
});

test('a bad Corefile is told with file, line and what was expected', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-dns-'));
  const path = join(folder, 'Corefile');
  writeFileSync(path, '.:53 {\n    kubernetes cluster.local\n    cash 30\n}\n');
  const { code, stderr } = await runPodwire(['dns', '--corefile', path]);
  rmSync(folder, { recursive: true });
  expect(code).toBe(1);
  expect(stderr).toContain(
    `${path}:3 - Error during parsing: Unknown directive 'cash'; expected one of acl, `,
  );
});
