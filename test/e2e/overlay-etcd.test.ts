// Subnet leases in a real etcd (Debian's etcd-server): the store itself, and a cluster whose nodes take theirs from it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { EtcdLeaseKv } from '../../src/node/etcd-lease-kv.ts';
import type { KvEvent } from '../../src/overlay/lease-kv.ts';
import { debianProgram } from './debian-program.ts';
import { RunningEtcd } from './support/etcd.ts';
import { ownNetworks, pinnedWeb } from './support/overlay-cluster.ts';
import { curl, RunningUp, runPodwire } from './support/podwire.ts';

const etcd = debianProgram('etcd-server', 'usr/bin/etcd');
const etcdctl = debianProgram('etcd-client', 'usr/bin/etcdctl');
const NETWORKS = ownNetworks(3);
const MANIFEST = pinnedWeb({ name: 'web', node: 'node-2', nodePort: 30_301 });

describe.skipIf(etcd === undefined || etcdctl === undefined)(
  'leases in etcd (skipped where Debian has no etcd)',
  () => {
    let store: RunningEtcd;
    let folder = '';
    let endpoint = '';

    const ctl = (...args: string[]): string =>
      execFileSync(etcdctl ?? '', ['--endpoints', endpoint, ...args], {
        encoding: 'utf8',
        env: { ...process.env, ETCDCTL_API: '3' },
      });

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'podwire-leases-'));
      store = await RunningEtcd.start(etcd ?? '');
      ({ endpoint } = store);
    });

    afterAll(async () => {
      await store[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });

    test('a write names the revision that it replaces, and a watch tells of it', async () => {
      await using kv = new EtcdLeaseKv([endpoint], systemClock);
      const options = { expected: 0, ttlSeconds: 60 };
      const first = await kv.write('/t/a', 'one', options);
      if (first.kind !== 'written') throw new Error('the key was free');
      expect(await kv.write('/t/a', 'late', options)).toEqual({ kind: 'conflict' });

      const events: KvEvent[] = [];
      const ending = new AbortController();
      const watching = kv.watch('/t/', {
        after: first.revision,
        signal: ending.signal,
        onEvents: (some) => {
          events.push(...some);
          if (some.some(({ type }) => type === 'delete')) ending.abort();
        },
      });
      const expected = first.revision;
      const second = await kv.write('/t/a', 'two', { expected, ttlSeconds: undefined });
      if (second.kind !== 'written') throw new Error('the revision was the latest');
      const entry = { key: '/t/a', value: 'two', modRevision: second.revision, hasTtl: false };
      expect((await kv.list('/t/')).entries).toEqual([entry]);
      expect(await kv.remove('/t/a', first.revision)).toBe(false);
      expect(await kv.remove('/t/a', second.revision)).toBe(true);
      expect(await watching).toBe('aborted');
      expect(events).toEqual([
        { type: 'put', entry },
        { type: 'delete', key: '/t/a' },
      ]);
    });

    test('a history that is gone is told', async () => {
      await using kv = new EtcdLeaseKv([endpoint], systemClock);
      const written = await kv.write('/t/b', 'x', { expected: 0, ttlSeconds: undefined });
      const revision = written.kind === 'written' ? written.revision : 0;
      await kv.write('/t/b', 'y', { expected: revision, ttlSeconds: undefined });
      ctl('compact', String(revision + 1));
      const { signal } = new AbortController();
      const watching = kv.watch('/t/', { after: 1, signal, onEvents: () => undefined });
      expect(await watching).toBe('compacted');
    });

    test('nodes take their subnets from there, in keys that flannel would read, beside a reservation', async () => {
      const prefix = '/coreos.com/network/subnets/';
      const reserved = { PublicIP: '127.38.0.2', PublicIPv6: null, BackendType: 'vxlan' };
      const vtep = { VNI: 1, VtepMAC: '02:00:00:00:00:99' };
      ctl('put', `${prefix}127.249.50.0-24`, JSON.stringify({ ...reserved, BackendData: vtep }));
      const manifest = join(folder, 'manifest.yaml');
      writeFileSync(manifest, MANIFEST);
      const args = ['--nodes', '2', '--overlay-etcd', endpoint, '-f', manifest];
      const up = await RunningUp.start([...NETWORKS, ...args]);
      try {
        const keys = ctl('get', '--prefix', prefix, '--keys-only').split('\n').filter(Boolean);
        expect(keys).toHaveLength(2);
        // node-1's public address had a reservation: it is node-1's subnet, and stays a reservation.
        expect(keys).toContain(`${prefix}127.249.50.0-24`);
        const kept = JSON.parse(ctl('get', `${prefix}127.249.50.0-24`, '-w', 'json')) as {
          kvs: { lease?: number }[];
        };
        expect(kept.kvs[0]?.lease).toBeUndefined();
        const other = keys.find((key) => !key.endsWith('127.249.50.0-24')) ?? '';
        expect(JSON.parse(ctl('get', other, '--print-value-only'))).toMatchObject({
          PublicIP: '127.38.0.3',
          BackendType: 'vxlan',
          BackendData: { VNI: 1 },
        });
        // Pods have addresses of the leased subnets, and reach each other through the overlay.
        const subnet = other.slice(prefix.length).replace('.0-24', '.');
        const pods = up.summary().pods.filter(({ name }) => name.startsWith('web-'));
        expect(pods.find(({ node }) => node === 'node-2')?.podIP.startsWith(subnet)).toBe(true);
        expect(await curl('http://127.38.0.2:30301')).toMatch(/^Hostname: web-/);
        const where = ['--kubeconfig', up.kubeconfig];
        const status = await runPodwire(['overlay', 'status', 'node-1', ...where]);
        expect(status.stdout).toMatch(/^127\.38\.0\.3 +[1-9]/m);
      } finally {
        await up.stop();
      }
    });
  },
);
