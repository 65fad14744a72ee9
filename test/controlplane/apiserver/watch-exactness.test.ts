import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ApiHarness } from './api-harness.ts';

const URL = '/api/v1/namespaces/default/configmaps';
const NAMES = ['a', 'b', 'c'] as const;

type Change = readonly ['put' | 'label' | 'delete', (typeof NAMES)[number]];

/** Makes the object, flips the label that the watches select by, or deletes it; whatever is possible. */
async function change(api: ApiHarness, [kind, name]: Change, round: number): Promise<void> {
  const labels = { side: round % 2 === 0 ? 'left' : 'right' };
  if (kind === 'delete') await api.call('DELETE', `${URL}/${name}`);
  else if (kind === 'put')
    await api.call('POST', URL, {
      body: { metadata: { name, labels }, data: { round: String(round) } },
    });
  else
    await api.call('PATCH', `${URL}/${name}`, {
      body: { metadata: { labels } },
      type: 'application/merge-patch+json',
    });
}

interface WatchLine {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string; readonly resourceVersion: string };
  };
}

interface Watched {
  readonly state: Map<string, string>;
  readonly versions: number[];
}

/** Follows a watch until a bookmark object shows that everything before it has been told. */
async function follow(api: ApiHarness, query: string, state: Map<string, string>, end: string) {
  const watched: Watched = { state, versions: [] };
  const abort = new AbortController();
  const response = await api.respond('GET', `${URL}?watch=true&${query}`, { signal: abort.signal });
  if (response.kind !== 'stream') throw new Error('not a watch');
  for await (const chunk of response.chunks) {
    const { type, object } = JSON.parse(chunk.toString()) as WatchLine;
    const { name, resourceVersion } = object.metadata;
    if (name === end) break;

    watched.versions.push(Number(resourceVersion));
    // Only what was not there is added, only what was there changes or goes.
    expect(state.has(name)).toBe(type !== 'ADDED');
    if (type === 'DELETED') state.delete(name);
    else state.set(name, resourceVersion);
  }
  abort.abort();
  return watched;
}

async function listed(api: ApiHarness, query: string) {
  const { body } = await api.call('GET', `${URL}?${query}`);
  const { items, metadata } = body as unknown as {
    items: { metadata: { name: string; resourceVersion: string } }[];
    metadata: { resourceVersion: string };
  };
  const state = new Map(items.map((item) => [item.metadata.name, item.metadata.resourceVersion]));
  return { state, version: metadata.resourceVersion };
}

test('whenever a watch begins and whatever it selects, it tells every change once and in order', async () => {
  await using api = await ApiHarness.start();
  const changes = fc.array(
    fc.tuple(fc.constantFrom('put', 'label', 'delete'), fc.constantFrom(...NAMES)),
    { minLength: 1, maxLength: 30 },
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(30), async (all, at) => {
      run += 1;
      const selector = `labelSelector=${encodeURIComponent(`side in (left,end${run})`)}`;
      const begin = Math.min(at, all.length);
      // At once, as several clients would.
      await Promise.all(all.slice(0, begin).map((one, round) => change(api, one, round)));
      const before = await listed(api, selector);
      const end = `end-${run}`;
      const watches = [
        follow(api, `${selector}&resourceVersion=${before.version}`, before.state, end),
        follow(api, selector, new Map<string, string>(), end),
      ];
      await Promise.all(all.slice(begin).map((one, round) => change(api, one, round)));
      const after = await listed(api, selector);
      await api.call('POST', URL, {
        body: { metadata: { name: end, labels: { side: `end${run}` } } },
      });
      for (const { state, versions } of await Promise.all(watches)) {
        expect(state).toEqual(after.state);
        expect(new Set(versions).size).toBe(versions.length);
      }
      const [fromVersion] = await Promise.all(watches);
      expect(fromVersion?.versions).toEqual(fromVersion?.versions.toSorted((a, b) => a - b));
    }),
    { numRuns: 60 },
  );
});
