import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { EtcdStore } from '../../src/controlplane/store/etcd-store.ts';
import { configMap, storeConformance } from '../controlplane/store/store-conformance.ts';
import { debianProgram } from './debian-program.ts';
import { RunningEtcd } from './support/etcd.ts';
import { freePort } from '../support/free-port.ts';

const etcd = debianProgram('etcd-server', 'usr/bin/etcd');
const etcdctl = debianProgram('etcd-client', 'usr/bin/etcdctl');

describe.skipIf(etcd === undefined)('etcd (skipped where Debian has no etcd-server)', () => {
  let running: RunningEtcd;
  let endpoint: string;

  beforeAll(async () => {
    running = await RunningEtcd.start(etcd ?? '');
    ({ endpoint } = running);
  });

  afterAll(() => running[Symbol.asyncDispose]());

  const open = () =>
    EtcdStore.open({ endpoints: [endpoint], clock: systemClock, logger: silentLogger });

  storeConformance('the etcd store', async () => {
    await clear(endpoint);
    let store = await open();
    return {
      store,
      reopen: async () => {
        await store.close();
        store = await open();
        return store;
      },
      close: () => store.close(),
    };
  });

  test.skipIf(etcdctl === undefined)('keys are where Kubernetes has them', async () => {
    await clear(endpoint);
    await using store = await open();
    await store.commit({
      key: { resource: 'services/specs', name: 'default/web' },
      expected: 0,
      object: { ...configMap('web'), kind: 'Service' },
    });
    const shown = execFileSync(
      etcdctl ?? '',
      ['--endpoints', endpoint, 'get', '--prefix', '/registry/services', '--keys-only'],
      { encoding: 'utf8', env: { ...process.env, ETCDCTL_API: '3' } },
    );
    expect(shown.trim()).toBe('/registry/services/specs/default/web');
  });

  test('changes by others are seen', async () => {
    await clear(endpoint);
    await using mine = await open();
    await using theirs = await open();
    const seen = new Promise<string>((resolve) => {
      mine.watch('configmaps', mine.revision, ({ object }) => resolve(object.metadata.name ?? ''));
    });
    await theirs.commit({
      key: { resource: 'configmaps', name: 'default/a' },
      expected: 0,
      object: configMap('a'),
    });
    expect(await seen).toBe('a');
  });

  test('no etcd: says so at once', async () => {
    const opening = EtcdStore.open({
      endpoints: [`http://127.0.0.1:${await freePort()}`],
      clock: systemClock,
      logger: silentLogger,
    });
    await expect(opening).rejects.toMatchObject({ code: 'store-failed' });
  });
});

/** Deletes all keys through etcd's JSON gateway. */
async function clear(url: string): Promise<void> {
  const zero = Buffer.of(0).toString('base64');
  const response = await fetch(`${url}/v3/kv/deleterange`, {
    method: 'POST',
    headers: { connection: 'close' },
    body: JSON.stringify({ key: zero, range_end: zero }),
  });
  await response.text();
}

test('the program under test exists where it was found', () => {
  expect(etcd === undefined || existsSync(etcd)).toBe(true);
});
