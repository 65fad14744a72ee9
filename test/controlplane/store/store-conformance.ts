import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../src/api/types/meta.ts';
import type { Store, StoreEvent } from '../../../src/controlplane/store/store.ts';

export interface StoreFixture {
  readonly store: Store;
  /** The same data in a new store, as after a restart; absent where nothing survives. */
  reopen?(): Promise<Store>;
  close(): Promise<void>;
}

export function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data,
  } as KubeObject;
}

const key = (name: string, namespace = 'default') => ({
  resource: 'configmaps',
  name: `${namespace}/${name}`,
});

async function put(
  store: Store,
  name: string,
  expected: number,
  data: Record<string, string> = {},
) {
  return store.commit({ key: key(name), expected, object: configMap(name, data) });
}

/** What every store must do; run for each of them. */
export function storeConformance(title: string, open: () => Promise<StoreFixture>): void {
  describe(`conformance: ${title}`, () => {
    let fixture: StoreFixture;
    let store: Store;

    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
    });
    afterEach(() => fixture.close());

    test('creates once: the second create is a conflict that shows what is there', async () => {
      const first = await put(store, 'a', 0);
      expect(first).toMatchObject({ kind: 'committed' });
      const second = await put(store, 'a', 0);
      expect(second).toMatchObject({ kind: 'conflict', current: { metadata: { name: 'a' } } });
    });

    test('the object carries the revision of its last change, and so does the store', async () => {
      const outcome = await put(store, 'a', 0);
      const revision = outcome.kind === 'committed' ? outcome.revision : 0;
      expect(store.get(key('a'))?.metadata.resourceVersion).toBe(String(revision));
      expect(store.revision).toBeGreaterThanOrEqual(revision);
    });

    test('replaces only the revision that was expected', async () => {
      const created = await put(store, 'a', 0, { v: '1' });
      const revision = created.kind === 'committed' ? created.revision : 0;
      expect((await put(store, 'a', revision, { v: '2' })).kind).toBe('committed');
      expect((await put(store, 'a', revision, { v: '3' })).kind).toBe('conflict');
      expect(store.get(key('a'))).toMatchObject({ data: { v: '2' } });
    });

    test('of many writers that expect the same, one wins', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, index) => put(store, 'race', 0, { winner: String(index) })),
      );
      expect(outcomes.filter(({ kind }) => kind === 'committed').length).toBe(1);
    });

    test('revisions only grow, one for each change', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, index) => put(store, `n${index}`, 0)),
      );
      const revisions = outcomes.map((outcome) =>
        outcome.kind === 'committed' ? outcome.revision : 0,
      );
      expect(new Set(revisions).size).toBe(50);
      expect(store.list('configmaps').length).toBe(50);
    });

    test('deletes, and hands out the last state at the revision of the deletion', async () => {
      const created = await put(store, 'a', 0, { v: '1' });
      const revision = created.kind === 'committed' ? created.revision : 0;
      const deleted = await store.commit({ key: key('a'), expected: revision, object: undefined });
      expect(deleted).toMatchObject({ kind: 'committed', object: { data: { v: '1' } } });
      expect(store.get(key('a'))).toBeUndefined();
      const again = await store.commit({ key: key('a'), expected: revision, object: undefined });
      expect(again.kind).toBe('conflict');
    });

    test('lists in the order of names, and one namespace alone', async () => {
      for (const name of ['b', 'a', 'c']) await put(store, name, 0);
      await store.commit({
        key: key('z', 'other'),
        expected: 0,
        object: { ...configMap('z'), metadata: { name: 'z', namespace: 'other' } },
      });
      const names = (objects: readonly KubeObject[]) =>
        objects.map(({ metadata }) => metadata.name);
      expect(names(store.list('configmaps', 'default/'))).toEqual(['a', 'b', 'c']);
      expect(names(store.list('configmaps'))).toEqual(['a', 'b', 'c', 'z']);
      expect(store.list('secrets')).toEqual([]);
    });

    test('a watch misses nothing: from the past, then as it happens, in order', async () => {
      const first = await put(store, 'a', 0, { v: '1' });
      const revision = first.kind === 'committed' ? first.revision : 0;
      const second = await put(store, 'a', revision, { v: '2' });
      const events: StoreEvent[] = [];
      const outcome = store.watch('configmaps', revision, (event) => events.push(event));
      const last = second.kind === 'committed' ? second.revision : 0;
      await store.commit({ key: key('a'), expected: last, object: undefined });
      expect(events.map(({ type, key: { name: at } }) => [type, at])).toEqual([
        ['put', 'default/a'],
        ['delete', 'default/a'],
      ]);
      expect(events[0]?.previous).toMatchObject({ data: { v: '1' } });
      expect(events[1]?.object).toMatchObject({ data: { v: '2' } });
      expect(events[1]?.object.metadata.resourceVersion).toBe(String(events[1]?.revision));
      expect(outcome.kind).toBe('watching');
      if (outcome.kind === 'watching') outcome.stop();
      await put(store, 'b', 0);
      expect(events.length).toBe(2);
    });

    test('a watch from a revision that has not come yet is refused', async () => {
      await put(store, 'a', 0);
      expect(store.watch('configmaps', store.revision + 100, () => {}).kind).toBe('expired');
    });

    test('objects are frozen: a reader cannot change what others see', async () => {
      await put(store, 'a', 0, { v: '1' });
      const object = store.get(key('a')) as unknown as { data: Record<string, string> };
      expect(() => {
        object.data['v'] = '2';
      }).toThrow(TypeError);
    });

    test('refuses commits once it is closed', async () => {
      await fixture.close();
      await expect(put(store, 'a', 0)).rejects.toMatchObject({ code: 'store-failed' });
    });

    test('what was acknowledged is there after a restart, with its revisions', async (context) => {
      if (fixture.reopen === undefined) {
        context.skip('nothing survives in memory');
        return;
      }
      const created = await put(store, 'a', 0, { v: '1' });
      const gone = await put(store, 'b', 0);
      await store.commit({
        key: key('b'),
        expected: gone.kind === 'committed' ? gone.revision : 0,
        object: undefined,
      });
      const { revision } = store;
      const reopened = await fixture.reopen();
      expect(reopened.get(key('a'))).toEqual(
        created.kind === 'committed' ? created.object : undefined,
      );
      expect(reopened.get(key('b'))).toBeUndefined();
      expect(reopened.revision).toBeGreaterThanOrEqual(revision);
      expect(reopened.watch('configmaps', 0, () => {}).kind).toBe('expired');
    });
  });
}
