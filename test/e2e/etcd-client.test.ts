// What a client of etcd sees when a real etcd stops, dies and comes back.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { EtcdClient, type EtcdWatchEnd } from '../../src/base/etcd-client.ts';
import { debianProgram } from './debian-program.ts';
import { RunningEtcd } from './support/etcd.ts';

const etcd = debianProgram('etcd-server', 'usr/bin/etcd');
const TIMEOUT_MS = 30_000;
const SHORT_MS = 500;

/** A watch and what it has told. */
async function follow(client: EtcdClient, prefix: string, after: number) {
  const keys: string[] = [];
  let onEnd: (end: EtcdWatchEnd) => void = () => {};
  let onKey: () => void = () => {};
  const ended = new Promise<EtcdWatchEnd>((resolve) => {
    onEnd = resolve;
  });
  const watch = await client.watch(prefix, after, {
    onEvents: (events) => {
      keys.push(...events.map(({ kv }) => kv.key.toString()));
      onKey();
    },
    onEnd,
  });
  const until = (key: string): Promise<void> =>
    new Promise((resolve) => {
      onKey = () => keys.includes(key) && resolve();
      onKey();
    });
  return { watch, keys, ended, until };
}

describe.skipIf(etcd === undefined)(
  'a client of etcd (skipped where Debian has no etcd-server)',
  () => {
    let running: RunningEtcd;
    let client: EtcdClient;

    const put = (key: string, value = 'x'): Promise<number> =>
      client.call(async (kv) => Number((await kv.put(key).value(value).exec()).header.revision));

    beforeAll(async () => {
      running = await RunningEtcd.start(etcd ?? '');
      const endpoints = [running.endpoint];
      client = new EtcdClient({ endpoints, clock: systemClock, timeoutMs: TIMEOUT_MS });
    });

    afterAll(async () => {
      client[Symbol.dispose]();
      await running[Symbol.asyncDispose]();
    });

    test('a watch tells of what came after its revision, and nothing once it is closed', async () => {
      const before = await put('/a/old');
      const { watch, keys, until } = await follow(client, '/a/', before);
      await put('/b/other');
      await put('/a/new');
      await until('/a/new');
      expect(keys).toEqual(['/a/new']);
      watch.close();
      const second = await follow(client, '/a/', before);
      await put('/a/later');
      await second.until('/a/later');
      expect(keys).toEqual(['/a/new']);
      expect(second.keys).toEqual(['/a/new', '/a/later']);
      second.watch.close();
    });

    test('an etcd that is silent is given up in time', async () => {
      running.pause();
      try {
        const answer = client.call((kv) => kv.get('/a/old').string(), SHORT_MS);
        await expect(answer).rejects.toThrow('etcd has not answered in 0.5 s');
      } finally {
        running.resume();
      }
      expect(await put('/a/again')).toBeGreaterThan(0);
    });

    test('when etcd dies its watches end, and calls fail until it is back, not longer', async () => {
      const { watch, ended } = await follow(client, '/a/', await put('/a/before'));
      const back = running.killAndRestart();
      expect((await ended).kind).toBe('lost');
      expect(watch.ended).toBe(true);
      await back;
      // The channel that was broken tells the first call so; it is made once only, since it may be a write.
      await put('/a/first').catch(() => undefined);
      expect(await put('/a/back')).toBeGreaterThan(0);
    });

    test('a history that is gone is told as such', async () => {
      const first = await put('/c/1');
      const latest = await put('/c/2');
      await client.call(({ kv }) => kv.compact({ revision: latest }));
      expect((await (await follow(client, '/c/', first - 1)).ended).kind).toBe('compacted');
    });

    test('nobody waits for an answer of a client that is closed', async () => {
      const endpoints = [running.endpoint];
      const other = new EtcdClient({ endpoints, clock: systemClock, timeoutMs: 60_000 });
      running.pause();
      const answer = other.call((kv) => kv.get('/a/old').string());
      other[Symbol.dispose]();
      await expect(answer).rejects.toThrow('the connection to etcd is closed');
      running.resume();
    });
  },
);
