import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import type { KeyValueWriter } from '../../../src/dns/plugin/key-value.ts';
import { Kube2sky } from '../../../src/dns/kube2sky/kube2sky.ts';
import { entriesOfService, type Kube2skyLayout } from '../../../src/dns/kube2sky/skydns-entries.ts';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';
import { testClock } from '../cluster-fixture.ts';
import { serviceOf, sliceOf } from '../dns-fixture.ts';

const tomcat = serviceOf({
  name: 'tomcat1',
  spec: { clusterIP: '10.254.100.145', ports: [{ name: 'http', port: 8080 }] },
});
const VALUE = '{"host":"10.254.100.145","priority":10,"weight":10,"ttl":30,"targetstrip":0}';

/** A store in memory that counts writes and can be out of reach. */
class TestStore implements KeyValueWriter {
  readonly data = new Map<string, string>();
  writes = 0;
  broken = false;
  list(): Promise<never[]> {
    return Promise.resolve([]);
  }
  get(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
  put(key: string, value: string): Promise<void> {
    this.writes += 1;
    if (this.broken) return Promise.reject(new Error('unreachable'));
    this.data.set(key, value);
    return Promise.resolve();
  }
  delete(key: string): Promise<void> {
    this.data.delete(key);
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function setUp(layout: Kube2skyLayout = 'flat'): {
  source: MemoryDnsSource;
  store: TestStore;
  writer: Kube2sky;
  clock: ReturnType<typeof testClock>;
} {
  const source = new MemoryDnsSource();
  const store = new TestStore();
  const clock = testClock();
  const writer = new Kube2sky({
    source,
    store,
    clock,
    log: silentLogger,
    layout,
    domain: 'cinyi.com',
  });
  return { source, store, writer, clock };
}

describe('kube2sky', () => {
  test('writes what the first releases wrote', () => {
    expect(entriesOfService(tomcat, [], { layout: 'flat', domain: 'cinyi.com' })).toEqual([
      { key: '/skydns/com/cinyi/default/tomcat1', value: VALUE },
    ]);
  });

  test('writes what the later releases wrote, with ports', () => {
    const entries = entriesOfService(tomcat, [], { layout: 'svc', domain: 'cinyi.com' });
    expect(entries.map(({ key }) => key.replace(/[0-9a-f]{8}$/, 'HASH'))).toEqual([
      '/skydns/com/cinyi/svc/default/tomcat1/HASH',
      '/skydns/com/cinyi/svc/default/tomcat1/_tcp/_http/HASH',
    ]);
    expect(entries[0]?.value).toBe(VALUE);
    expect(JSON.parse(entries[1]?.value ?? '')).toMatchObject({
      host: 'tomcat1.default.svc.cinyi.com',
      port: 8080,
    });
  });

  test('writes ready endpoints of headless Services, by hostname if they have one', () => {
    const db = serviceOf({ name: 'db', spec: { clusterIP: 'None' } });
    const slice = sliceOf({
      name: 'db-a',
      service: 'db',
      endpoints: [
        { addresses: ['10.0.0.1'], hostname: 'db-0' },
        { addresses: ['10.0.0.2'], conditions: { ready: false } },
        { addresses: ['10.0.0.3'] },
      ],
    });
    const keys = entriesOfService(db, [slice], { layout: 'flat', domain: 'cinyi.com' }).map(
      ({ key }) => key,
    );
    expect(keys[0]).toBe('/skydns/com/cinyi/default/db/db-0');
    expect(keys[1]).toMatch(/^\/skydns\/com\/cinyi\/default\/db\/[0-9a-f]{8}$/);
    expect(keys).toHaveLength(2);
  });

  test('follows changes and writes only what differs', async () => {
    const { source, store, writer } = setUp();
    source.set('services', tomcat);
    source.set('services', serviceOf({ name: 'other', spec: { clusterIP: '10.254.0.9' } }));
    await writer.settled();
    expect(store.data.get('/skydns/com/cinyi/default/tomcat1')).toBe(VALUE);
    expect(store.writes).toBe(2);
    source.set('services', { ...tomcat, metadata: { ...tomcat.metadata, labels: { a: 'b' } } });
    await writer.settled();
    expect(store.writes).toBe(2);
    source.delete('services', 'tomcat1', 'default');
    await writer.settled();
    expect([...store.data.keys()]).toEqual(['/skydns/com/cinyi/default/other']);
    await writer.close();
  });

  test('tries again what could not be written', async () => {
    const { source, store, writer, clock } = setUp();
    store.broken = true;
    source.set('services', tomcat);
    while (clock.pending === 0) await Promise.resolve();
    store.broken = false;
    clock.advance(1000);
    await writer.settled();
    expect(store.data.size).toBe(1);
    await writer.close();
  });
});
