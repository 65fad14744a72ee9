import { describe, expect, test } from 'vitest';
import { ControllerHarness, workload } from './controller-harness.ts';

const rolling = (replicas: number, maxSurge: number | string, maxUnavailable: number | string) => ({
  replicas,
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});

async function deployment(harness: ControllerHarness) {
  return harness.plane.client.resource('deployments').get('web', 'default');
}

async function sets(harness: ControllerHarness) {
  const { items } = await harness.plane.client.resource('replicasets').list();
  return items.toSorted((a, b) =>
    Number(a.metadata.annotations?.['deployment.kubernetes.io/revision']) >
    Number(b.metadata.annotations?.['deployment.kubernetes.io/revision'])
      ? 1
      : -1,
  );
}

function condition(object: Awaited<ReturnType<typeof deployment>>, type: string) {
  return object.status?.conditions?.find((each) => each.type === type);
}

describe('rolling updates', () => {
  test('a change of the template rolls; the status says so and is complete at the end', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 4 }));
    expect((await deployment(harness)).status).toMatchObject({
      replicas: 4,
      updatedReplicas: 4,
      readyReplicas: 4,
      availableReplicas: 4,
      observedGeneration: 1,
    });
    await harness.apply(workload('Deployment', { replicas: 4 }, 'nginx:2'));
    expect((await harness.pods()).map(({ spec }) => spec.containers[0]?.image)).toEqual(
      Array.from({ length: 4 }, () => 'nginx:2'),
    );
    const after = await deployment(harness);
    expect(condition(after, 'Progressing')).toMatchObject({ reason: 'NewReplicaSetAvailable' });
    expect(condition(after, 'Available')).toMatchObject({ status: 'True' });
    expect((await sets(harness)).map(({ spec }) => spec.replicas)).toEqual([0, 4]);
  });

  test('a change of anything else does not roll', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2 }));
    const before = (await harness.pods()).map(({ metadata }) => metadata.uid);
    await harness.apply(workload('Deployment', { replicas: 2, revisionHistoryLimit: 3 }));
    expect((await harness.pods()).map(({ metadata }) => metadata.uid)).toEqual(before);
    expect((await sets(harness)).length).toBe(1);
  });

  for (const [maxSurge, maxUnavailable] of [
    [1, 0],
    [0, 1],
    ['25%', '25%'],
    ['100%', 0],
    [2, 2],
  ] as const)
    test(`never more than surge ${maxSurge}, never fewer than unavailable ${maxUnavailable} allows`, async () => {
      await using harness = await ControllerHarness.start();
      await harness.apply(workload('Deployment', rolling(4, maxSurge, maxUnavailable)));
      const share = (value: number | string, up: boolean): number =>
        typeof value === 'number'
          ? value
          : (up ? Math.ceil : Math.floor)((Number.parseInt(value, 10) * 4) / 100);
      const counts: { total: number; ready: number }[] = [];
      const pods = new Map<string, boolean>();
      const abort = new AbortController();
      const list = await harness.plane.client.resource('pods').list();
      for (const pod of list.items) pods.set(pod.metadata.name ?? '', true);
      const watching = (async () => {
        const { resourceVersion } = list;
        const { signal } = abort;
        for await (const event of harness.plane.client
          .resource('pods')
          .watch({ resourceVersion, signal })) {
          if (event.type === 'BOOKMARK') continue;
          const { metadata, status } = event.object;
          const gone = event.type === 'DELETED' || metadata.deletionTimestamp !== undefined;
          const ready = status?.conditions?.some(
            ({ type, status: is }) => type === 'Ready' && is === 'True',
          );
          if (gone) pods.delete(metadata.name ?? '');
          else pods.set(metadata.name ?? '', ready === true);
          counts.push({
            total: pods.size,
            ready: [...pods.values()].filter(Boolean).length,
          });
        }
      })();
      await harness.apply(workload('Deployment', rolling(4, maxSurge, maxUnavailable), 'nginx:2'));
      abort.abort();
      await watching;
      expect(counts.length).toBeGreaterThan(8);
      expect(Math.max(...counts.map(({ total }) => total))).toBeLessThanOrEqual(
        4 + share(maxSurge, true),
      );
      expect(Math.min(...counts.map(({ ready }) => ready))).toBeGreaterThanOrEqual(
        4 - share(maxUnavailable, false),
      );
      expect(
        (await harness.pods()).every(({ spec }) => spec.containers[0]?.image === 'nginx:2'),
      ).toBe(true);
    });

  test('a template that never becomes ready stops at maxUnavailable, and the deadline is told', async () => {
    await using harness = await ControllerHarness.start();
    harness.kubelets.broken.add('nginx:broken');
    await harness.apply(
      workload('Deployment', { ...rolling(4, 1, 0), progressDeadlineSeconds: 60 }),
    );
    await harness.apply(
      workload('Deployment', { ...rolling(4, 1, 0), progressDeadlineSeconds: 60 }, 'nginx:broken'),
    );
    const healthy = (await harness.pods()).filter(
      ({ spec }) => spec.containers[0]?.image === 'nginx:1',
    );
    expect(healthy.length).toBe(4);
    await harness.pass(65_000);
    const stuck = await deployment(harness);
    expect(condition(stuck, 'Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
    });
    expect(condition(stuck, 'Available')).toMatchObject({ status: 'True' });
  });

  test('minReadySeconds: a pod counts once it has been ready that long', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2, minReadySeconds: 30 }));
    expect((await deployment(harness)).status).toMatchObject({
      readyReplicas: 2,
      unavailableReplicas: 2,
    });
    await harness.pass(31_000);
    expect((await deployment(harness)).status).toMatchObject({ availableReplicas: 2 });
  });

  test('Recreate: no new pod before the last old one is gone', async () => {
    await using harness = await ControllerHarness.start();
    const spec = { replicas: 3, strategy: { type: 'Recreate' } };
    await harness.apply(workload('Deployment', spec));
    // A node that does not answer keeps its old pod.
    harness.kubelets.silent.add('node-1');
    await harness.apply(workload('Deployment', spec, 'nginx:2'));
    const images = new Set((await harness.pods()).map(({ spec: pod }) => pod.containers[0]?.image));
    expect(images).toEqual(new Set(['nginx:1']));
    harness.kubelets.silent.clear();
    harness.kubelets.wake();
    await harness.settle();
    expect((await harness.pods()).map(({ spec: pod }) => pod.containers[0]?.image)).toEqual([
      'nginx:2',
      'nginx:2',
      'nginx:2',
    ]);
  });
});

describe('pausing, history and undo', () => {
  test('a paused Deployment scales but does not roll', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2 }));
    await harness.apply(workload('Deployment', { replicas: 5, paused: true }, 'nginx:2'));
    const images = (await harness.pods()).map(({ spec }) => spec.containers[0]?.image);
    expect(images).toEqual(Array.from({ length: 5 }, () => 'nginx:1'));
    await harness.apply(workload('Deployment', { replicas: 5, paused: false }, 'nginx:2'));
    const after = (await harness.pods()).map(({ spec }) => spec.containers[0]?.image);
    expect(after).toEqual(Array.from({ length: 5 }, () => 'nginx:2'));
  });

  test('going back to an old template uses its ReplicaSet again, as a new revision', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2 }));
    const [first] = await sets(harness);
    await harness.apply(workload('Deployment', { replicas: 2 }, 'nginx:2'));
    await harness.apply(workload('Deployment', { replicas: 2 }, 'nginx:1'));
    const all = await sets(harness);
    expect(
      all.map(({ metadata }) => metadata.annotations?.['deployment.kubernetes.io/revision']),
    ).toEqual(['2', '3']);
    expect(all[1]?.metadata.uid).toBe(first?.metadata.uid);
    expect(all[1]?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('1');
  });

  test('revisionHistoryLimit bounds the old ReplicaSets', async () => {
    await using harness = await ControllerHarness.start();
    for (let version = 1; version <= 5; version += 1)
      await harness.apply(
        workload('Deployment', { replicas: 1, revisionHistoryLimit: 2 }, `nginx:${version}`),
      );
    await harness.pass(5_000);
    expect((await sets(harness)).length).toBe(3);
  });

  test('scaling in the middle of a rollout keeps both sides in proportion', async () => {
    await using harness = await ControllerHarness.start();
    harness.kubelets.broken.add('nginx:broken');
    await harness.apply(workload('Deployment', rolling(10, 3, 2)));
    await harness.apply(workload('Deployment', rolling(10, 3, 2), 'nginx:broken'));
    expect((await sets(harness)).map(({ spec }) => spec.replicas)).toEqual([8, 5]);
    await harness.apply(workload('Deployment', rolling(15, 3, 2), 'nginx:broken'));
    // docs/concepts/workloads/controllers/deployment: the example of proportional scaling.
    expect((await sets(harness)).map(({ spec }) => spec.replicas)).toEqual([11, 7]);
  });
});
