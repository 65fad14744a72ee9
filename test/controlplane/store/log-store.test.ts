import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { LogStore } from '../../../src/controlplane/store/log-store.ts';
import { configMap, storeConformance } from './store-conformance.ts';

const directories: string[] = [];

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'podwire-store-'));
  directories.push(directory);
  return directory;
}

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

const open = (directory: string, snapshotBytes?: number): Promise<LogStore> =>
  LogStore.open({
    directory,
    logger: silentLogger,
    sync: 'never',
    ...(snapshotBytes === undefined ? {} : { snapshotBytes }),
  });

const put = (store: LogStore, name: string) =>
  store.commit({
    key: { resource: 'configmaps', name: `default/${name}` },
    expected: 0,
    object: configMap(name, { text: name.repeat(20) }),
  });

storeConformance('the log store', async () => {
  const directory = await temporary();
  let store = await open(directory);
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await open(directory);
      return store;
    },
    close: () => store.close(),
  };
});

async function logFile(directory: string): Promise<string> {
  const name = (await readdir(directory)).find((file) => file.endsWith('.log'));
  return join(directory, name ?? '');
}

describe('after a crash', () => {
  test('a write that was cut off is cut away, and everything before it is there', async () => {
    const directory = await temporary();
    const store = await open(directory);
    for (const name of ['a', 'b', 'c']) await put(store, name);
    await store.close();
    const path = await logFile(directory);
    const whole = await readFile(path);
    // Every place where the power may have gone in the middle of the last record.
    const random = seededRandom('torn tail');
    for (let round = 0; round < 20; round += 1) {
      const copy = await temporary();
      await writeFile(
        join(copy, '0000000000000000.log'),
        whole.subarray(0, whole.length - 1 - random.below(100)),
      );
      const recovered = await open(copy);
      expect(recovered.list('configmaps').map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
      expect((await put(recovered, 'c')).kind).toBe('committed');
      await recovered.close();
      const again = await open(copy);
      expect(again.list('configmaps').length).toBe(3);
      await again.close();
    }
  });

  test('garbage after the last record is cut away', async () => {
    const directory = await temporary();
    const store = await open(directory);
    await put(store, 'a');
    await store.close();
    await appendFile(await logFile(directory), Buffer.alloc(64, 0xff));
    const recovered = await open(directory);
    expect(recovered.list('configmaps').length).toBe(1);
    await recovered.close();
  });

  test('damage in a snapshot is refused: nobody starts on half a cluster', async () => {
    const directory = await temporary();
    let store = await open(directory);
    await put(store, 'a');
    await store.close();
    store = await open(directory);
    await store.close();
    const name = (await readdir(directory)).find((file) => file.endsWith('.snapshot')) ?? '';
    const path = join(directory, name);
    const bytes = await readFile(path);
    bytes[20] = (bytes[20] ?? 0) ^ 0xff;
    await writeFile(path, bytes);
    await expect(open(directory)).rejects.toMatchObject({ code: 'store-corrupt' });
  });
});

test('snapshots replace long logs; nothing is lost and old files go', async () => {
  const directory = await temporary();
  const store = await open(directory, 2_000);
  for (let index = 0; index < 200; index += 1) await put(store, `n${index}`);
  await store.close();
  const files = await readdir(directory);
  expect(files.filter((file) => file.endsWith('.snapshot')).length).toBe(1);
  const recovered = await open(directory);
  expect(recovered.list('configmaps').length).toBe(200);
  await recovered.close();
});

test('a directory has one store at a time', async () => {
  const directory = await temporary();
  const store = await open(directory);
  // The lock names this very process; another one's would be told apart by being alive.
  await writeFile(join(directory, 'lock'), String(process.ppid));
  await expect(open(directory)).rejects.toMatchObject({ code: 'store-locked' });
  await store.close();
});

test.runIf(existsSync('/proc/self/stat'))(
  'the lock of a process whose number another one has now is stale',
  async () => {
    const directory = await temporary();
    await (await open(directory)).close();
    await writeFile(join(directory, 'lock'), `${process.ppid} 1`);
    await (await open(directory)).close();
    expect(await readdir(directory)).not.toContain('lock');
  },
);

test('a directory that cannot be made is named, with what to do', async () => {
  const file = join(await temporary(), 'a-file');
  await writeFile(file, '');
  const opening = open(join(file, 'store'));
  await expect(opening).rejects.toMatchObject({ code: 'store-failed' });
  await expect(opening).rejects.toThrow(/a-file\/store: .*use another --data-dir/);
});
