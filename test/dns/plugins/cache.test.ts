import { describe, expect, test } from 'vitest';
import type { ManualClock } from '../../../src/base/clock.ts';
import { createMetrics, type Metrics } from '../../../src/base/metrics.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { CacheStore } from '../../../src/dns/plugins/cache/cache-store.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import { askInside, testClock } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';

const NAME = 'www.example.org.';

interface Setup extends AsyncDisposable {
  readonly server: DnsServer;
  readonly clock: ManualClock;
  readonly metrics: Metrics;
  /** What the hosts file below the cache holds. */
  replace(text: string): void;
}

const BELOW = 'hosts /hosts {\n  ttl 60\n  reload 1ms\n  fallthrough\n }\n erratic {\n  drop 0\n }';

/** A cache over a hosts file whose content the test changes. Below it answers have a TTL of 60. */
async function start(options: string, below = BELOW): Promise<Setup> {
  const clock = testClock();
  const metrics = createMetrics();
  let text = `192.0.2.1 ${NAME}`;
  const server = await startTestServer(`.:53 {\n cache ${options}\n ${below}\n}`, {
    clock,
    metrics,
    files: { read: () => Promise.resolve(text) },
  });
  return {
    server,
    clock,
    metrics,
    replace: (next) => {
      text = next;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= Math.min(left, 1000)) {
    clock.advance(Math.min(left, 1000));
    // The hosts file is read in a callback of the clock.
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  }
}

async function answersOf({ server }: Setup): Promise<string> {
  return (await askInside(server, NAME))?.answers.join(' | ') ?? 'none';
}

async function counter({ metrics }: Setup, name: string, labels = ''): Promise<number> {
  const line = (await metrics.metrics())
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}{`) && candidate.includes(labels));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

describe('the cache', () => {
  test('answers what it has, counting down, until the TTL is over', async () => {
    await using setup = await start('');
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.1`);
    setup.replace(`192.0.2.2 ${NAME}`);
    await pass(setup.clock, 10_500);
    expect(await answersOf(setup)).toBe(`${NAME} 50 IN A 192.0.2.1`);
    await pass(setup.clock, 49_400);
    expect(await answersOf(setup)).toBe(`${NAME} 1 IN A 192.0.2.1`);
    await pass(setup.clock, 200);
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    expect(await counter(setup, 'coredns_cache_hits_total', 'type="success"')).toBe(2);
    expect(await counter(setup, 'coredns_cache_misses_total')).toBe(2);
    expect(await counter(setup, 'coredns_cache_requests_total')).toBe(4);
    expect(await counter(setup, 'coredns_cache_entries', 'type="success"')).toBe(1);
  });

  test.each([
    ['30', 30],
    ['', 60],
    ['{\n success 100 20 10\n}', 20],
    ['{\n success 100 3600 120\n}', 120],
  ])('with %j gives a TTL of %i', async (options, ttl) => {
    await using setup = await start(options);
    expect(await answersOf(setup)).toBe(`${NAME} ${ttl} IN A 192.0.2.1`);
    expect(await answersOf(setup)).toBe(`${NAME} ${ttl} IN A 192.0.2.1`);
  });

  test('keeps the TTL when told so', async () => {
    await using setup = await start('{\n keepttl\n}');
    await answersOf(setup);
    await pass(setup.clock, 30_000);
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.1`);
  });

  test('keeps nothing for disabled zones', async () => {
    await using setup = await start('{\n disable success example.org\n}');
    await answersOf(setup);
    setup.replace(`192.0.2.2 ${NAME}`);
    await pass(setup.clock, 10);
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    expect(await counter(setup, 'coredns_cache_hits_total', 'type="success"')).toBe(0);
  });

  test('keeps apart what is asked with DO or CD', async () => {
    await using setup = await start('');
    const edns = { udpBytes: 1232, version: 0, dnssecOk: true, options: [] };
    await askInside(setup.server, NAME);
    await askInside(setup.server, NAME, 'A', { edns });
    await askInside(setup.server, NAME, 'A', { checkingDisabled: true });
    await askInside(setup.server, 'WWW.example.ORG.');
    expect(await counter(setup, 'coredns_cache_misses_total')).toBe(3);
    expect(await counter(setup, 'coredns_cache_hits_total', 'type="success"')).toBe(1);
  });

  test('serves stale answers with a TTL of 0 while it fetches new ones', async () => {
    await using setup = await start('{\n serve_stale\n}');
    await answersOf(setup);
    setup.replace(`192.0.2.2 ${NAME}`);
    await pass(setup.clock, 61_000);
    expect(await answersOf(setup)).toBe(`${NAME} 0 IN A 192.0.2.1`);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    expect(await counter(setup, 'coredns_cache_served_stale_total')).toBe(1);
    await pass(setup.clock, 3_700_000);
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    expect(await counter(setup, 'coredns_cache_misses_total')).toBe(2);
  });

  test('verifies stale answers first when told so', async () => {
    await using setup = await start('{\n serve_stale 1h verify\n}');
    await answersOf(setup);
    setup.replace(`192.0.2.2 ${NAME}`);
    await pass(setup.clock, 61_000);
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    expect(await counter(setup, 'coredns_cache_served_stale_total')).toBe(0);
  });

  test.each(['immediate', 'verify'])(
    'asks again for what is stale after a while only: %s',
    async (how) => {
      const alone = 'hosts /hosts {\n  ttl 60\n  reload 1ms\n }';
      await using setup = await start(`{\n serve_stale 1h ${how} 7 30s\n}`, alone);
      await answersOf(setup);
      setup.replace('');
      await pass(setup.clock, 61_000);
      for (let query = 0; query < 3; query += 1)
        expect(await answersOf(setup)).toBe(`${NAME} 7 IN A 192.0.2.1`);
      setup.replace(`192.0.2.2 ${NAME}`);
      await pass(setup.clock, 29_000);
      expect(await answersOf(setup)).toBe(`${NAME} 7 IN A 192.0.2.1`);
      await pass(setup.clock, 2000);
      await answersOf(setup);
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    },
  );

  test('fetches popular names before they expire', async () => {
    await using setup = await start('{\n prefetch 3 1m 20%\n}');
    for (let hit = 0; hit < 4; hit += 1) await answersOf(setup);
    setup.replace(`192.0.2.2 ${NAME}`);
    await pass(setup.clock, 50_000);
    expect(await answersOf(setup)).toBe(`${NAME} 10 IN A 192.0.2.1`);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(await answersOf(setup)).toBe(`${NAME} 60 IN A 192.0.2.2`);
    expect(await counter(setup, 'coredns_cache_prefetch_total')).toBe(1);
  });

  test.each([
    ['{\n success many\n}', "capacity is 'many'"],
    ['{\n servfail 10m\n}', 'expected at most 5m'],
    ['{\n disable all\n}', "expected 'success' or 'denial'"],
    ['{\n serve_stale 1h verify 1s 0 30s 5\n}', "unexpected '5' after RECHECK"],
    ['{\n serve_stale 1h sometimes\n}', 'expected immediate or verify'],
    ['{\n colour blue\n}', "unknown property 'colour'"],
  ])('%j is refused', async (options, problem) => {
    await expect(start(options)).rejects.toThrow(problem);
  });
});

test('a full store makes room at random and never holds more', () => {
  const store = new CacheStore<number>(100, seededRandom(1));
  let evicted = 0;
  for (let index = 0; index < 1000; index += 1) if (store.set(`key ${index}`, index)) evicted += 1;
  expect({ size: store.size, evicted }).toEqual({ size: 100, evicted: 900 });
  const kept = Array.from({ length: 1000 }, (_, index) => `key ${index}`).filter(
    (key) => store.get(key) !== undefined,
  );
  expect(kept).toHaveLength(100);
  for (const key of kept) expect(store.delete(key)).toBe(true);
  expect(store.size).toBe(0);
});
