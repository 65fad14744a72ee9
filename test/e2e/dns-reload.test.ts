// A Corefile that changes again and again under load: no query may be lost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLUSTER_MANIFEST } from '../dns/cluster-fixture.ts';
import { dig, RunningDns } from './support/dns.ts';
import { finished, has } from './support/podwire.ts';

const SECONDS = 4;

function corefile(ttl: number): string {
  return `.:53 {\n    errors\n    kubernetes cluster.local {\n        ttl ${ttl}\n    }\n    cache 30\n    loadbalance\n}\n`;
}

test.skipIf(!has('dnsperf'))(
  'reloading under dnsperf loses no query (skipped without dnsperf)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-reload-'));
    const path = join(folder, 'Corefile');
    writeFileSync(path, corefile(1));
    const names = ['svc1', 'dual', 'web', 'nothing', 'nobody'].map(
      (name) => `${name}.testns.svc.cluster.local A`,
    );
    writeFileSync(join(folder, 'queries'), `${names.join('\n')}\n`);
    await using dns = await RunningDns.start(['--corefile', path, '-f', CLUSTER_MANIFEST]);
    for (const mode of ['udp', 'tcp']) {
      const target = ['-s', '127.0.0.1', '-p', String(dns.port), '-m', mode];
      const work = [
        '-d',
        join(folder, 'queries'),
        '-l',
        String(SECONDS),
        '-c',
        '4',
        '-q',
        '40',
        '-t',
        '60',
      ];
      const load = finished('dnsperf', [...target, ...work]);
      const under = { load: true };
      void load.finally(() => {
        under.load = false;
      });
      let reloads = 0;
      while (under.load) {
        reloads += 1;
        // Every third one is no good, and must change nothing.
        writeFileSync(path, reloads % 3 === 0 ? '.:53 {\n    nonsense\n' : corefile(reloads));
        dns.signal('SIGHUP');
        await new Promise((settle) => setTimeout(settle, 100));
      }
      const { stdout } = await load;
      expect(stdout).toMatch(/Queries lost:\s+0 /);
      expect(Number(/Queries completed:\s+(\d+)/.exec(stdout)?.[1])).toBeGreaterThan(100);
      expect(reloads).toBeGreaterThan(3);
    }
    rmSync(folder, { recursive: true });
  },
);

test.skipIf(!has('dig'))(
  'faults are read from a file, and again on SIGHUP (skipped without dig)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-faults-'));
    const path = join(folder, 'faults');
    const status = async (): Promise<string | undefined> =>
      (await dig(dns.port, 'svc1.testns.svc.cluster.local A'))[0];
    writeFileSync(path, 'rcode=REFUSED name=svc1.testns.svc.cluster.local # for a while\n');
    await using dns = await RunningDns.start(['--faults', path, '-f', CLUSTER_MANIFEST]);
    expect(await status()).toBe('REFUSED qr rd');
    writeFileSync(path, '');
    dns.signal('SIGHUP');
    await dns.prints('faults is in force');
    expect(await status()).toBe('NOERROR qr aa rd');
    writeFileSync(path, 'explode\n');
    dns.signal('SIGHUP');
    await dns.prints("'explode' is no fault");
    expect(await status()).toBe('NOERROR qr aa rd');
    rmSync(folder, { recursive: true });
  },
);

test.skipIf(!has('dig'))(
  'two processes answer, and end when told (skipped without dig)',
  async () => {
    const dns = await RunningDns.start(['--workers', '2', '-f', CLUSTER_MANIFEST]);
    for (const how of ['+notcp', '+tcp', '+notcp', '+tcp'])
      expect((await dig(dns.port, `svc1.testns.svc.cluster.local A ${how}`))[0]).toBe(
        'NOERROR qr aa rd',
      );
    await dns[Symbol.asyncDispose]();
    expect(await dig(dns.port, 'svc1.testns.svc.cluster.local A +tries=1 +time=1')).toEqual([]);
  },
);
