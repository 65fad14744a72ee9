// SkyDNS data in Debian's etcd: what kube2sky writes, etcdctl shows and dig is answered.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { debianProgram } from './debian-program.ts';
import { dig, RunningDns } from './support/dns.ts';
import { RunningEtcd } from './support/etcd.ts';
import { finished, has } from './support/podwire.ts';

const etcd = debianProgram('etcd-server', 'usr/bin/etcd');
const etcdctl = debianProgram('etcd-client', 'usr/bin/etcdctl');

const TOMCAT = `apiVersion: v1
kind: Service
metadata: { name: tomcat1 }
spec: { clusterIP: 10.254.100.145, ports: [{ name: http, port: 8080 }] }
`;

function corefile(endpoint: string): string {
  return `.:53 {
    errors
    kubernetes cinyi.com in-addr.arpa {
        fallthrough
    }
    etcd skydns.local cinyi.com {
        endpoint ${endpoint}
        stubzones
    }
}
`;
}

describe.skipIf(etcd === undefined || etcdctl === undefined || !has('dig'))(
  'SkyDNS (skipped where Debian has no etcd, or without dig)',
  () => {
    test('the session of the seeds', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'podwire-skydns-'));
      await using store = await RunningEtcd.start(etcd ?? '');
      const ctl = async (...args: string[]): Promise<string> => {
        const { stdout, stderr } = await finished(etcdctl ?? '', [
          '--endpoints',
          store.endpoint,
          ...args,
        ]);
        return (stdout + stderr).trim();
      };
      process.env['ETCDCTL_API'] = '3';
      const write = (path: string, value: object): Promise<string> =>
        ctl('put', path, JSON.stringify(value));
      writeFileSync(join(folder, 'tomcat.yaml'), TOMCAT);
      writeFileSync(join(folder, 'Corefile'), corefile(store.endpoint));
      await using stub = await RunningDns.start([], {});
      await write('/skydns/local/skydns/dns/stub/local/cluster/one', {
        host: '127.0.0.1',
        port: stub.port,
      });
      const files = ['--corefile', join(folder, 'Corefile'), '-f', join(folder, 'tomcat.yaml')];
      const sky = ['--cluster-domain', 'cinyi.com', '--kube2sky', store.endpoint];
      await using dns = await RunningDns.start([...files, ...sky]);
      while ((await ctl('get', '/skydns/com/cinyi/default/tomcat1')) === '');
      expect(await ctl('get', '/skydns/com/cinyi/default/tomcat1', '--print-value-only')).toBe(
        '{"host":"10.254.100.145","priority":10,"weight":10,"ttl":30,"targetstrip":0}',
      );
      const service = await finished('nslookup', [
        `-port=${dns.port}`,
        'tomcat1.default.svc.cinyi.com',
        '127.0.0.1',
      ]);
      expect(service.stdout).toContain(
        'Name:\ttomcat1.default.svc.cinyi.com\nAddress: 10.254.100.145',
      );
      // Straight from etcd, by the layout of the first releases.
      expect(await dig(dns.port, 'tomcat1.default.cinyi.com. A')).toEqual([
        'NOERROR qr aa rd',
        'tomcat1.default.cinyi.com. 30 IN A 10.254.100.145',
      ]);

      await write('/skydns/local/skydns/east/rails/1', {
        host: '192.0.2.1',
        port: 80,
        weight: 120,
      });
      await write('/skydns/local/skydns/east/rails/2', {
        host: '192.0.2.2',
        port: 80,
        weight: 100,
      });
      await write('/skydns/local/skydns/west/rails/3', {
        host: '192.0.2.3',
        port: 80,
        weight: 130,
      });
      const answers = async (line: string): Promise<string[]> =>
        (await dig(dns.port, line)).slice(1);
      expect(await answers('1.rails.east.skydns.local. A')).toEqual([
        '1.rails.east.skydns.local. 300 IN A 192.0.2.1',
      ]);
      expect(await answers('rails.*.skydns.local. A')).toEqual(
        [1, 2, 3].map((last) => `rails.*.skydns.local. 300 IN A 192.0.2.${last}`),
      );
      const srv = await answers('rails.*.skydns.local. SRV');
      expect(srv.slice(0, 3).map((text) => text.split(' ')[5])).toEqual(['34', '28', '37']);

      await write('/skydns/local/skydns/groups/a', { host: '192.0.2.10', group: 'g1' });
      await write('/skydns/local/skydns/groups/x/b', { host: '192.0.2.11', group: 'g2' });
      expect(await answers('groups.skydns.local. A')).toEqual([
        'groups.skydns.local. 300 IN A 192.0.2.10',
      ]);

      // cluster.local is a stub zone of the other server, which knows nothing but says so with authority.
      expect((await dig(dns.port, 'no.default.svc.cluster.local. A'))[0]).toBe('NXDOMAIN qr aa rd');
      const leased = await ctl('lease', 'grant', '60');
      const lease = /lease (\w+) granted/.exec(leased)?.[1] ?? '';
      await ctl('put', '--lease', lease, '/skydns/local/skydns/leased', '{"host":"192.0.2.9"}');
      const ttl = Number((await answers('leased.skydns.local. A'))[0]?.split(' ')[1]);
      expect(ttl).toBeGreaterThanOrEqual(30);
      expect(ttl).toBeLessThanOrEqual(60);
      rmSync(folder, { recursive: true });
    });

    test('an etcd that is silent, dies or comes back', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'podwire-skydns-'));
      await using store = await RunningEtcd.start(etcd ?? '');
      const put = (host: string): Promise<{ stdout: string }> =>
        finished(etcdctl ?? '', [
          '--endpoints',
          store.endpoint,
          'put',
          '/skydns/local/skydns/www',
          JSON.stringify({ host }),
        ]);
      await put('192.0.2.1');
      writeFileSync(join(folder, 'Corefile'), corefile(store.endpoint));
      await using dns = await RunningDns.start(['--corefile', join(folder, 'Corefile')]);
      const status = async (): Promise<string> =>
        (await dig(dns.port, 'www.skydns.local. A +time=30'))[0] ?? '';
      const answer = async (): Promise<string> => {
        while ((await status()) !== 'NOERROR qr aa rd');
        return (await dig(dns.port, 'www.skydns.local. A +time=30'))[1] ?? '';
      };
      expect(await answer()).toBe('www.skydns.local. 300 IN A 192.0.2.1');
      // Nobody waits for it for ever.
      store.pause();
      expect(await status()).toBe('SERVFAIL qr aa rd');
      store.resume();
      expect(await answer()).toBe('www.skydns.local. 300 IN A 192.0.2.1');
      await store.killAndRestart();
      await put('192.0.2.2');
      expect(await answer()).toBe('www.skydns.local. 300 IN A 192.0.2.2');
      rmSync(folder, { recursive: true });
    });
  },
);
