import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { Informers } from '../../../src/controlplane/client/informers.ts';
import { planMirrors, StaticPods, staticPodsOf } from '../../../src/node/kubelet/static-pods.ts';
import { startTestPlane } from '../../controlplane/support.ts';

/** The system tells of changed files in its own time. */
const PATIENCE = { timeout: 60_000 };

function manifest(image = 'nginx:1.27'): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: web, image: '${image}' }] }
`;
}

function mirrorOf(text: string): Pod {
  const [pod] = staticPodsOf(text, 'web.yaml', 'node-1').pods;
  if (pod === undefined) throw new Error('no pod');
  return pod;
}

test('a mirror names its node and its source, and stays whatever happens to the node', () => {
  expect(mirrorOf(manifest())).toMatchObject({
    metadata: {
      name: 'web-node-1',
      namespace: 'default',
      labels: { app: 'web' },
      annotations: {
        'kubernetes.io/config.mirror': expect.stringMatching(/^[0-9a-f]{32}$/),
        'kubernetes.io/config.source': 'file',
      },
    },
    spec: { nodeName: 'node-1', tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] },
  });
});

test.each<[string, string, RegExp]>([
  ['what is no YAML', 'a: [', /flow sequence|flow collection/i],
  ['a kind that is none', 'apiVersion: v1\nkind: Poddy\nmetadata: { name: x }', /Poddy/],
  [
    'another kind',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }',
    /static pods are Pods, not ConfigMap/,
  ],
])('%s is not used', (_, text, problem) => {
  const read = staticPodsOf(text, 'x.yaml', 'node-1');
  expect(read.pods).toEqual([]);
  expect(read.problem).toMatch(problem);
});

describe('what is to be done', () => {
  const web = mirrorOf(manifest());
  const newer = mirrorOf(manifest('nginx:1.28'));
  const leaving = {
    ...web,
    metadata: { ...web.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
  };
  test.each<[string, Pod[], Pod[], Pod[], Pod[]]>([
    ['a new file', [web], [], [web], []],
    ['nothing new', [web], [web], [], []],
    ['a changed file: first the old one goes', [newer], [web], [], [web]],
    ['a file that is gone', [], [web], [], [web]],
    ['on its way out already', [newer], [leaving], [], []],
  ])('%s', (_, wanted, there, create, remove) => {
    expect(planMirrors(wanted, there)).toEqual({ create, remove });
  });
});

test('pods follow the folder, and come back when their mirror is deleted', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-static-'));
  const { plane, clock } = await startTestPlane();
  const informers = new Informers(plane.client, clock, silentLogger);
  const pods = informers.of('pods');
  await informers.synced();
  const staticPods = new StaticPods({
    clock,
    log: silentLogger,
    client: plane.client,
    pods,
    nodeName: 'node-1',
    folder,
  });
  const images = async (): Promise<(string | undefined)[]> => {
    clock.advance(1_000);
    const { items } = await plane.client.resource('pods').list();
    return items.map(({ spec }) => spec.containers[0]?.image);
  };
  const becomes = (...expected: string[]): Promise<void> =>
    vi.waitFor(async () => expect(await images()).toEqual(expected), PATIENCE);
  try {
    writeFileSync(join(folder, 'web.yaml'), manifest());
    await becomes('nginx:1.27');
    const remove = { gracePeriodSeconds: 0 };
    await plane.client.resource('pods').delete('web-node-1', 'default', remove);
    await becomes('nginx:1.27');
    writeFileSync(join(folder, 'broken.yaml'), 'a: [');
    rmSync(join(folder, 'web.yaml'));
    // Nobody is there to end it gracefully.
    await vi.waitFor(async () => {
      await images();
      expect(pods.get('web-node-1', 'default')?.metadata.deletionTimestamp).toBeDefined();
    }, PATIENCE);
  } finally {
    await staticPods[Symbol.asyncDispose]();
    await informers[Symbol.asyncDispose]();
    await plane[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }
});
