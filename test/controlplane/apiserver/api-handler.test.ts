import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiHarness, type Json, textOf } from './api-harness.ts';

const CORE = '/api/v1/namespaces/default';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

function configMap(name: string, extra: object = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...extra }, data: { a: 'b' } };
}

let api: ApiHarness;
beforeAll(async () => {
  api = await ApiHarness.start();
});
afterAll(() => api[Symbol.asyncDispose]());

async function created(name: string, extra: object = {}): Promise<Json> {
  const { code, body } = await api.call('POST', `${CORE}/configmaps`, {
    body: configMap(name, extra),
  });
  if (code !== 201) throw new Error(JSON.stringify(body));
  return body;
}

/** Reads `count` events of a watch, then hangs up. */
async function watch(
  url: string,
  count: number,
  during?: () => Promise<unknown>,
  accept?: string,
): Promise<Json[]> {
  const abort = new AbortController();
  const response = await api.respond('GET', url, {
    signal: abort.signal,
    ...(accept === undefined ? {} : { accept }),
  });
  if (response.kind !== 'stream') throw new Error('not a watch');
  const events: Json[] = [];
  const done = during?.();
  for await (const chunk of response.chunks) {
    events.push(JSON.parse(chunk.toString()) as Json);
    if (events.length >= count) break;
  }
  abort.abort();
  await done;
  return events;
}

describe('discovery', () => {
  test('answers in the version that was asked for, and plainly to those who know none', async () => {
    for (const version of ['v2', 'v2beta1']) {
      const response = await api.respond('GET', '/apis', {
        accept: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`,
      });
      expect(response).toMatchObject({
        contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
        body: { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}` },
      });
    }
    const plain = await api.call('GET', '/apis');
    expect(plain.body['kind']).toBe('APIGroupList');
  });

  test('the legacy groups come last and without short names', async () => {
    const { body } = await api.call('GET', '/apis');
    const names = [...(body['groups'] ?? [])].map((group) => group['name']);
    expect(names.at(-1)).toBe('extensions');
    const { body: list } = await api.call('GET', '/apis/extensions/v1beta1');
    const deployments = [...(list['resources'] ?? [])].find(
      (each) => textOf(each['name']) === 'deployments',
    );
    expect(deployments).not.toHaveProperty('shortNames');
  });

  test('every list says what the handler does', async () => {
    const { body } = await api.call('GET', '/api/v1');
    for (const { name, namespaced, verbs } of [...(body['resources'] ?? [])] as unknown as {
      name: string;
      namespaced: boolean;
      verbs: readonly string[];
    }[]) {
      if (!verbs.includes('list')) continue;
      const { code } = await api.call('GET', namespaced ? `${CORE}/${name}` : `/api/v1/${name}`);
      expect(code).toBe(200);
    }
  });
});

describe('lists', () => {
  test('in pages that belong together, though objects come and go between them', async () => {
    for (const name of ['page-1', 'page-2', 'page-3', 'page-4', 'page-5'])
      await created(name, { labels: { paged: 'y' } });
    const first = await api.call('GET', `${CORE}/configmaps?limit=2&labelSelector=paged`);
    const token = first.body['metadata']?.['continue'];
    await api.call('DELETE', `${CORE}/configmaps/page-4`);
    await created('page-0', { labels: { paged: 'y' } });
    const names = [...(first.body['items'] ?? [])].map((item) => item['metadata']?.['name']);
    let next: Json | undefined = token;
    while (next !== undefined) {
      const page: Json = (
        await api.call(
          'GET',
          `${CORE}/configmaps?limit=2&labelSelector=paged&continue=${textOf(next)}`,
        )
      ).body;
      expect(page['metadata']?.['resourceVersion']).toBe(
        first.body['metadata']?.['resourceVersion'],
      );
      names.push(...[...(page['items'] ?? [])].map((item) => item['metadata']?.['name']));
      next = page['metadata']?.['continue'];
    }
    expect(names).toEqual(['page-1', 'page-2', 'page-3', 'page-4', 'page-5']);
  });

  test('as a table: one row an object, with what the client needs of its metadata', async () => {
    await created('tabled');
    const { body } = await api.call(
      'GET',
      `${CORE}/configmaps?fieldSelector=metadata.name%3Dtabled`,
      { accept: TABLE },
    );
    expect(body).toMatchObject({
      kind: 'Table',
      columnDefinitions: [{ name: 'Name', format: 'name' }, { name: 'Data' }, { name: 'Age' }],
      rows: [
        {
          cells: ['tabled', 1, '0s'],
          object: { kind: 'PartialObjectMetadata', metadata: { name: 'tabled' } },
        },
      ],
    });
  });
});

describe('watches', () => {
  test('from the present: what is there, then what happens, filtered by selectors', async () => {
    const events = await watch(
      `${CORE}/configmaps?watch=true&labelSelector=watched`,
      3,
      async () => {
        await created('w1', { labels: { watched: 'y' } });
        await api.call('PATCH', `${CORE}/configmaps/w1`, {
          type: 'application/merge-patch+json',
          body: { data: { c: 'd' } },
        });
        await api.call('PATCH', `${CORE}/configmaps/w1`, {
          type: 'application/merge-patch+json',
          body: { metadata: { labels: { watched: null } } },
        });
      },
    );
    // Leaving the selection reads as a deletion of the last state that was in it.
    expect(events.map((event) => [event['type'], event['object']?.['data']])).toEqual([
      ['ADDED', { a: 'b' }],
      ['MODIFIED', { a: 'b', c: 'd' }],
      ['DELETED', { a: 'b', c: 'd' }],
    ]);
  });

  test('from a version: only what came later', async () => {
    const first = await created('v1');
    await created('v2');
    const version = textOf(first['metadata']?.['resourceVersion']);
    const events = await watch(`${CORE}/configmaps?watch=1&resourceVersion=${version}`, 1);
    expect(events.map((event) => event['object']?.['metadata']?.['name'])).toEqual(['v2']);
  });

  test('WatchList: the present state, then a bookmark that says so', async () => {
    await created('listed', { labels: { wl: 'y' } });
    const url = `${CORE}/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=wl`;
    const events = await watch(url, 2);
    expect(events).toMatchObject([
      { type: 'ADDED', object: { metadata: { name: 'listed' } } },
      {
        type: 'BOOKMARK',
        object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
      },
    ]);
  });

  test('from a version that is too old: an ERROR event with 410, as its last', async () => {
    const response = await api.respond(
      'GET',
      `${CORE}/configmaps?watch=true&resourceVersion=99999999`,
    );
    const chunks: string[] = [];
    if (response.kind === 'stream')
      for await (const chunk of response.chunks) chunks.push(chunk.toString());
    expect(chunks.map((chunk) => JSON.parse(chunk) as unknown)).toMatchObject([
      { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } },
    ]);
  });

  test('a table client gets tables of one row', async () => {
    const [event] = await watch(
      `${CORE}/configmaps?watch=true&fieldSelector=metadata.name%3Dlisted`,
      1,
      undefined,
      TABLE,
    );
    expect(event).toMatchObject({
      type: 'ADDED',
      object: { kind: 'Table', rows: [{ cells: ['listed', 1, '0s'] }] },
    });
  });
});

describe('writes', () => {
  test('a dry run returns the defaulted object and stores nothing, not even a clusterIP', async () => {
    const body = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'dry' },
      spec: { ports: [{ port: 80 }] },
    };
    const before = api.plane.registry.revision;
    const answer = await api.call('POST', `${CORE}/services?dryRun=All`, { body });
    expect(answer).toMatchObject({
      code: 201,
      body: { spec: { type: 'ClusterIP', sessionAffinity: 'None' } },
    });
    expect(api.plane.registry.revision).toBe(before);
    const address = textOf(answer.body['spec']?.['clusterIP']);
    const again = await api.call('POST', `${CORE}/services`, {
      body: { ...body, metadata: { name: 'wet' }, spec: { ...body.spec, clusterIP: address } },
    });
    expect(again.code).toBe(201);
  });

  test('an update that changes nothing is none: same version, no event', async () => {
    const object = await created('same');
    const answer = await api.call('PUT', `${CORE}/configmaps/same`, { body: object });
    expect(answer.body['metadata']?.['resourceVersion']).toBe(
      object['metadata']?.['resourceVersion'],
    );
  });

  test('generateName makes names that are free', async () => {
    const names = new Set<unknown>();
    for (let index = 0; index < 20; index += 1) {
      const { body } = await api.call('POST', `${CORE}/configmaps`, {
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'gen-' } },
      });
      expect(body['metadata']?.['name']).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      names.add(body['metadata']?.['name']);
    }
    expect(names.size).toBe(20);
  });

  test('generation grows with the spec, not with metadata or status', async () => {
    const labels = { app: 'gen' };
    const url = '/apis/apps/v1/namespaces/default/deployments';
    const body = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'gen' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
    };
    await api.call('POST', url, { body });
    const patched = async (patch: object) =>
      (await api.call('PATCH', `${url}/gen`, { body: patch, type: 'application/merge-patch+json' }))
        .body['metadata']?.['generation'];
    expect(await patched({ metadata: { labels: { a: 'b' } } })).toBe(1);
    expect(await patched({ spec: { minReadySeconds: 5 } })).toBe(2);
    expect(await patched({ status: { replicas: 9 } })).toBe(2);
  });

  test('finalizers hold a deleted object; none can be added meanwhile', async () => {
    await created('held', { finalizers: ['example.org/a'] });
    const deleted = await api.call('DELETE', `${CORE}/configmaps/held`);
    expect(deleted.body['metadata']).toHaveProperty('deletionTimestamp');
    const patch = (finalizers: unknown) =>
      api.call('PATCH', `${CORE}/configmaps/held`, {
        type: 'application/merge-patch+json',
        body: { metadata: { finalizers } },
      });
    expect((await patch(['example.org/a', 'example.org/b'])).code).toBe(422);
    expect((await patch(null)).code).toBe(200);
    expect((await api.call('GET', `${CORE}/configmaps/held`)).code).toBe(404);
  });

  test('unknown fields: warned about by default, refused when strict, silent when ignored', async () => {
    const body = { ...configMap('fields'), foo: 1 };
    const url = `${CORE}/configmaps?dryRun=All`;
    expect((await api.call('POST', url, { body })).warnings).toEqual(['unknown field "foo"']);
    expect((await api.call('POST', `${url}&fieldValidation=Ignore`, { body })).warnings).toEqual(
      [],
    );
    expect((await api.call('POST', `${url}&fieldValidation=Strict`, { body })).code).toBe(400);
  });

  test('a legacy Deployment has the defaults of its version and reads through both groups', async () => {
    const legacy = '/apis/extensions/v1beta1/namespaces/default/deployments';
    const { code, warnings } = await api.call('POST', legacy, {
      body: {
        apiVersion: 'extensions/v1beta1',
        kind: 'Deployment',
        metadata: { name: 'old' },
        spec: {
          replicas: 0,
          template: {
            metadata: { labels: { app: 'old' } },
            spec: { containers: [{ name: 'c', image: 'x' }] },
          },
        },
      },
    });
    expect(code).toBe(201);
    expect(warnings[0]).toContain('extensions/v1beta1 Deployment is deprecated');
    const modern = await api.call('GET', '/apis/apps/v1/namespaces/default/deployments/old');
    expect(modern.body).toMatchObject({
      apiVersion: 'apps/v1',
      spec: {
        selector: { matchLabels: { app: 'old' } },
        strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      },
    });
    expect((await api.call('GET', `${legacy}/old`)).body['apiVersion']).toBe('extensions/v1beta1');
  });

  test('events speak both dialects', async () => {
    await api.call('POST', `${CORE}/events`, {
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'e1' },
        involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
        message: 'hello',
      },
    });
    const { body } = await api.call('GET', '/apis/events.k8s.io/v1/namespaces/default/events/e1');
    expect(body).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      note: 'hello',
      regarding: { name: 'p' },
    });
  });
});

describe('pods', () => {
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { containers: [{ name: 'c', image: 'nginx' }] },
  });

  test('are bound once; a bound pod is deleted gracefully, by force at once', async () => {
    await api.call('POST', `${CORE}/pods`, { body: pod('bound') });
    const bind = () =>
      api.call('POST', `${CORE}/pods/bound/binding`, {
        body: { target: { kind: 'Node', name: 'n1' } },
      });
    expect((await bind()).code).toBe(201);
    expect(await bind()).toMatchObject({ code: 409, body: { reason: 'Conflict' } });
    const deleted = await api.call('DELETE', `${CORE}/pods/bound`);
    expect(deleted.body['metadata']).toMatchObject({ deletionGracePeriodSeconds: 30 });
    const forced = await api.call('DELETE', `${CORE}/pods/bound`, {
      body: { gracePeriodSeconds: 0 },
    });
    expect(forced.code).toBe(200);
    expect((await api.call('GET', `${CORE}/pods/bound`)).code).toBe(404);
  });

  test('an eviction that a budget forbids is told to come back later', async () => {
    await api.call('POST', `${CORE}/pods`, { body: pod('guarded') });
    await api.call('POST', `${CORE}/pods/guarded/binding`, { body: { target: { name: 'n1' } } });
    await api.call('PATCH', `${CORE}/pods/guarded/status`, {
      type: 'application/merge-patch+json',
      body: { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } },
    });
    await api.call('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', {
      body: {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'guard' },
        spec: { minAvailable: 1, selector: { matchLabels: { app: 'guarded' } } },
      },
    });
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    const evict = () =>
      api.call('POST', `${CORE}/pods/guarded/eviction`, {
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'guarded' } },
      });
    expect(await evict()).toMatchObject({
      code: 429,
      body: {
        reason: 'TooManyRequests',
        message: "Cannot evict pod as it would violate the pod's disruption budget.",
        details: { name: 'guard', causes: [{ reason: 'DisruptionBudget' }] },
      },
    });
  });

  test('scale is a small object of its own', async () => {
    const url = '/apis/apps/v1/namespaces/default/deployments/gen/scale';
    const answer = await api.call('PATCH', url, {
      type: 'application/merge-patch+json',
      body: { spec: { replicas: 3 } },
    });
    expect(answer.body).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 3 },
      status: { selector: 'app=gen' },
    });
    const table = await api.call('GET', url, { accept: TABLE });
    expect(table.body).toMatchObject({
      columnDefinitions: [
        { name: 'Name' },
        { name: 'Desired' },
        { name: 'Available' },
        { name: 'Age' },
      ],
      rows: [{ cells: ['gen', 3, 0, expect.any(String)] }],
    });
  });
});
