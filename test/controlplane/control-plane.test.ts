import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/api/api-error.ts';
import type { ControlPlane } from '../../src/controlplane/control-plane.ts';
import { example, runPod, settle, startTestPlane, testNode } from './support.ts';

async function applyAll(plane: ControlPlane, name: string): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for (const object of example(name).objects)
    try {
      outcomes.push((await plane.apply(object)).action);
    } catch (error) {
      outcomes.push(error instanceof ApiError ? error.message : error);
    }
  return outcomes;
}

describe('a cluster without nodes', () => {
  test('starts with the system namespaces and default/kubernetes on the first clusterIP', async () => {
    const { plane } = await startTestPlane();
    await using _ = plane;
    const namespaces = await plane.client.resource('namespaces').list();
    expect(namespaces.items.map(({ metadata }) => metadata.name)).toEqual([
      'default',
      'kube-node-lease',
      'kube-public',
      'kube-system',
    ]);
    const kubernetes = await plane.client.resource('services').get('kubernetes', 'default');
    expect(kubernetes.spec.clusterIP).toBe('127.96.0.1');
  });

  const refused = ['invalid-no-labels.yaml', 'skydns.yaml'];
  const good = readdirSync(join(import.meta.dirname, '../../examples')).filter(
    (name) => !refused.includes(name),
  );
  for (const name of good)
    test(`takes examples/${name}, and again without a change`, async () => {
      const { plane } = await startTestPlane();
      await using _ = plane;
      const first = await applyAll(plane, name);
      expect(first.filter((outcome) => outcome !== 'created')).toEqual([]);
      const again = await applyAll(plane, name);
      expect(again.filter((outcome) => outcome !== 'unchanged')).toEqual([]);
    });

  test('refuses a Deployment whose template has no labels, and says why; its Service is fine', async () => {
    const { plane } = await startTestPlane();
    await using _ = plane;
    expect(await applyAll(plane, 'invalid-no-labels.yaml')).toMatchInlineSnapshot(`
      [
        "Deployment.apps "simples" is invalid: [spec.selector: Required value, spec.template.metadata.labels: Invalid value: null: \`selector\` does not match template \`labels\`]",
        "created",
      ]
    `);
  });

  test('refuses a clusterIP outside its range', async () => {
    const { plane } = await startTestPlane();
    await using _ = plane;
    expect(await applyAll(plane, 'skydns.yaml')).toMatchInlineSnapshot(`
      [
        "created",
        "Service "kube-dns" is invalid: spec.clusterIPs: Invalid value: ["10.254.0.2"]: failed to allocate IP 10.254.0.2: the provided IP is not in the valid range. The range of valid IPs is 127.96.0.0/16",
      ]
    `);
  });
});

describe('a Deployment behind a Service', () => {
  test('becomes scheduled pods, Endpoints and EndpointSlices', async () => {
    const { plane, clock } = await startTestPlane();
    await using _ = plane;
    for (const name of ['node-1', 'node-2', 'node-3'])
      await plane.client.resource('nodes').create(testNode(name));
    await applyAll(plane, 'tomcat.yaml');
    await settle(clock);
    const pods = await plane.client.resource('pods').list({ namespace: 'default' });
    expect(new Set(pods.items.map(({ spec }) => spec.nodeName))).toEqual(
      new Set(['node-1', 'node-2', 'node-3']),
    );
    for (const [index, pod] of pods.items.entries())
      await runPod(plane, pod, `127.244.${index}.5`, '2026-01-01T00:00:00Z');
    await settle(clock);
    const endpoints = await plane.client.resource('endpoints').get('tomcat-server', 'default');
    expect(endpoints.subsets?.[0]?.addresses?.map(({ ip }) => ip)).toEqual([
      '127.244.0.5',
      '127.244.1.5',
      '127.244.2.5',
    ]);
    const slices = await plane.client
      .resource('endpointslices')
      .list({ labelSelector: 'kubernetes.io/service-name=tomcat-server' });
    expect(slices.items.length).toBe(1);
    expect(slices.items[0]?.endpoints?.map(({ conditions }) => conditions?.ready)).toEqual([
      true,
      true,
      true,
    ]);
    const deployment = await plane.client
      .resource('deployments')
      .get('tomcat-deployment', 'default');
    expect(deployment.status).toMatchObject({ availableReplicas: 3, updatedReplicas: 3 });
  });
});
