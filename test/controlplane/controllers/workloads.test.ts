import { describe, expect, test } from 'vitest';
import { ControllerHarness, workload } from './controller-harness.ts';

const names = (objects: readonly { metadata: { name?: string } }[]) =>
  objects.map(({ metadata }) => metadata.name ?? '').toSorted((a, b) => (a < b ? -1 : 1));

const nodesOf = (pods: readonly { spec: { nodeName?: string } }[]) =>
  pods.map(({ spec }) => spec.nodeName ?? '').toSorted((a, b) => (a < b ? -1 : 1));

describe('ReplicaSets', () => {
  test('a pod that goes is replaced; an orphan that matches is adopted; one that no longer matches is let go', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('ReplicaSet', { replicas: 3 }));
    const [first] = await harness.pods();
    const name = first?.metadata.name ?? '';
    await harness.plane.client.resource('pods').delete(name, 'default');
    await harness.settle();
    expect((await harness.pods()).length).toBe(3);
    const [second] = await harness.pods();
    await harness.plane.client.resource('pods').patch(second?.metadata.name ?? '', 'default', {
      type: 'merge',
      body: { metadata: { labels: { app: 'other' } } },
    });
    await harness.settle();
    expect((await harness.pods('app=web')).length).toBe(3);
    const released = await harness.plane.client
      .resource('pods')
      .get(second?.metadata.name ?? '', 'default');
    expect(released.metadata.ownerReferences).toBeUndefined();
  });

  test('among equals the pod that costs least to delete goes first', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('ReplicaSet', { replicas: 3 }));
    const [cheap] = await harness.pods();
    await harness.plane.client.resource('pods').patch(cheap?.metadata.name ?? '', 'default', {
      type: 'merge',
      body: { metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-1' } } },
    });
    await harness.apply(workload('ReplicaSet', { replicas: 2 }));
    expect(names(await harness.pods())).not.toContain(cheap?.metadata.name);
  });

  test('scaling down takes pods that are not ready first', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('ReplicaSet', { replicas: 3 }));
    const [victim] = await harness.pods();
    await harness.plane.client.resource('pods').patch(victim?.metadata.name ?? '', 'default', {
      type: 'strategic',
      body: { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
      subresource: 'status',
    });
    await harness.apply(workload('ReplicaSet', { replicas: 2 }));
    expect(names(await harness.pods())).not.toContain(victim?.metadata.name);
  });
});

describe('StatefulSets', () => {
  test('pods come up in order with stable names, and go in reverse', async () => {
    await using harness = await ControllerHarness.start();
    harness.kubelets.broken.add('nginx:broken');
    await harness.apply(workload('StatefulSet', { replicas: 3, serviceName: 'web' }));
    expect(names(await harness.pods())).toEqual(['web-0', 'web-1', 'web-2']);
    const [pod] = await harness.pods();
    expect(pod?.spec).toMatchObject({ hostname: 'web-0', subdomain: 'web' });
    expect(pod?.metadata.labels).toMatchObject({
      'statefulset.kubernetes.io/pod-name': 'web-0',
      'apps.kubernetes.io/pod-index': '0',
    });
    await harness.apply(workload('StatefulSet', { replicas: 1, serviceName: 'web' }));
    expect(names(await harness.pods())).toEqual(['web-0']);
  });

  test('OrderedReady waits for each pod; Parallel does not', async () => {
    await using harness = await ControllerHarness.start();
    harness.kubelets.broken.add('nginx:broken');
    await harness.apply(workload('StatefulSet', { replicas: 3 }, 'nginx:broken'));
    expect(names(await harness.pods())).toEqual(['web-0']);
    await using other = await ControllerHarness.start();
    other.kubelets.broken.add('nginx:broken');
    await other.apply(
      workload('StatefulSet', { replicas: 3, podManagementPolicy: 'Parallel' }, 'nginx:broken'),
    );
    expect(names(await other.pods())).toEqual(['web-0', 'web-1', 'web-2']);
  });

  test('an update rolls from the highest ordinal down to the partition', async () => {
    await using harness = await ControllerHarness.start();
    const spec = {
      replicas: 4,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } },
    };
    await harness.apply(workload('StatefulSet', spec));
    await harness.apply(workload('StatefulSet', spec, 'nginx:2'));
    const images = new Map(
      (await harness.pods()).map(({ metadata, spec: pod }) => [
        metadata.name,
        pod.containers[0]?.image,
      ]),
    );
    expect(Object.fromEntries(images)).toEqual({
      'web-0': 'nginx:1',
      'web-1': 'nginx:1',
      'web-2': 'nginx:2',
      'web-3': 'nginx:2',
    });
    const { status } = await harness.plane.client.resource('statefulsets').get('web', 'default');
    expect(status).toMatchObject({ replicas: 4, updatedReplicas: 2, currentReplicas: 2 });
    expect(status?.currentRevision).not.toBe(status?.updateRevision);
  });
});

describe('StatefulSets that update', () => {
  const imagesOf = async (harness: ControllerHarness) =>
    (await harness.pods())
      .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
      .map(({ spec }) => spec.containers[0]?.image);

  test('OnDelete: a pod is of the new template once somebody has deleted the old one', async () => {
    await using harness = await ControllerHarness.start();
    const spec = { replicas: 2, updateStrategy: { type: 'OnDelete' } };
    await harness.apply(workload('StatefulSet', spec));
    await harness.apply(workload('StatefulSet', spec, 'nginx:2'));
    expect(await imagesOf(harness)).toEqual(['nginx:1', 'nginx:1']);
    await harness.plane.client.resource('pods').delete('web-0', 'default');
    await harness.settle();
    expect(await imagesOf(harness)).toEqual(['nginx:2', 'nginx:1']);
  });

  test('a partition that goes down to 0 finishes the update; the old template brings all back', async () => {
    await using harness = await ControllerHarness.start();
    const partitioned = (partition: number) => ({
      replicas: 3,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
    });
    await harness.apply(workload('StatefulSet', partitioned(2)));
    await harness.apply(workload('StatefulSet', partitioned(2), 'nginx:2'));
    expect(await imagesOf(harness)).toEqual(['nginx:1', 'nginx:1', 'nginx:2']);
    await harness.apply(workload('StatefulSet', partitioned(0), 'nginx:2'));
    expect(await imagesOf(harness)).toEqual(['nginx:2', 'nginx:2', 'nginx:2']);
    const { status } = await harness.plane.client.resource('statefulsets').get('web', 'default');
    expect(status?.currentRevision).toBe(status?.updateRevision);
    await harness.apply(workload('StatefulSet', partitioned(0)));
    expect(await imagesOf(harness)).toEqual(['nginx:1', 'nginx:1', 'nginx:1']);
  });

  test('an update by hand never becomes the current revision by itself', async () => {
    await using harness = await ControllerHarness.start();
    const spec = { replicas: 1, updateStrategy: { type: 'OnDelete' } };
    await harness.apply(workload('StatefulSet', spec));
    await harness.apply(workload('StatefulSet', spec, 'nginx:2'));
    await harness.plane.client.resource('pods').delete('web-0', 'default');
    await harness.settle();
    const { status } = await harness.plane.client.resource('statefulsets').get('web', 'default');
    expect(status).toMatchObject({ updatedReplicas: 1, readyReplicas: 1 });
    expect(status?.currentRevision).not.toBe(status?.updateRevision);
  });

  test('a partition counts from the first ordinal', async () => {
    await using harness = await ControllerHarness.start();
    const spec = {
      replicas: 3,
      ordinals: { start: 5 },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } },
    };
    await harness.apply(workload('StatefulSet', spec));
    await harness.apply(workload('StatefulSet', spec, 'nginx:2'));
    expect(names(await harness.pods())).toEqual(['web-5', 'web-6', 'web-7']);
    expect(await imagesOf(harness)).toEqual(['nginx:1', 'nginx:1', 'nginx:2']);
  });

  test('maxUnavailable: so many at a time, and no more while they do not come back', async () => {
    await using harness = await ControllerHarness.start();
    harness.kubelets.broken.add('nginx:broken');
    const spec = {
      replicas: 5,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } },
    };
    await harness.apply(workload('StatefulSet', spec));
    await harness.apply(workload('StatefulSet', spec, 'nginx:broken'));
    expect(await imagesOf(harness)).toEqual([
      'nginx:1',
      'nginx:1',
      'nginx:1',
      'nginx:broken',
      'nginx:broken',
    ]);
  });

  test('going down, an unhealthy pod is waited for unless it is the lowest to go', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('StatefulSet', { replicas: 3 }));
    const ready = (name: string, status: 'True' | 'False') =>
      harness.plane.client.resource('pods').patch(name, 'default', {
        type: 'strategic',
        body: { status: { conditions: [{ type: 'Ready', status }] } },
        subresource: 'status',
      });
    await ready('web-1', 'False');
    await ready('web-2', 'False');
    await harness.apply(workload('StatefulSet', { replicas: 1 }));
    expect(names(await harness.pods())).toEqual(['web-0', 'web-1', 'web-2']);
    await ready('web-2', 'True');
    await harness.settle();
    expect(names(await harness.pods())).toEqual(['web-0']);
  });

  test('minReadySeconds: the next pod waits until the last has been ready that long', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('StatefulSet', { replicas: 2, minReadySeconds: 20 }));
    expect(names(await harness.pods())).toEqual(['web-0']);
    await harness.pass(25_000);
    expect(names(await harness.pods())).toEqual(['web-0', 'web-1']);
  });
});

test('ReplicationControllers keep their pods, by a selector of plain labels', async () => {
  await using harness = await ControllerHarness.start();
  const controller = (replicas: number) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name: 'web' },
      spec: {
        replicas,
        selector: { app: 'web' },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'c', image: 'nginx' }] },
        },
      },
    });
  await harness.apply(controller(3));
  expect((await harness.pods('app=web')).length).toBe(3);
  await harness.apply(controller(1));
  expect((await harness.pods('app=web')).length).toBe(1);
  const { status } = await harness.plane.client
    .resource('replicationcontrollers')
    .get('web', 'default');
  expect(status).toMatchObject({ replicas: 1, readyReplicas: 1, availableReplicas: 1 });
});

describe('DaemonSets', () => {
  test('OnDelete leaves old pods alone; maxSurge puts the new one beside the old one first', async () => {
    await using harness = await ControllerHarness.start(2);
    const onDelete = { updateStrategy: { type: 'OnDelete' } };
    await harness.apply(workload('DaemonSet', onDelete));
    await harness.apply(workload('DaemonSet', onDelete, 'nginx:2'));
    const images = async () => (await harness.pods()).map(({ spec }) => spec.containers[0]?.image);
    expect(await images()).toEqual(['nginx:1', 'nginx:1']);
    // The new template never becomes ready: with a surge no old pod goes for it.
    harness.kubelets.broken.add('nginx:broken');
    const surge = {
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    };
    await harness.apply(workload('DaemonSet', surge, 'nginx:broken'));
    expect((await images()).toSorted((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1))).toEqual([
      'nginx:1',
      'nginx:1',
      'nginx:broken',
    ]);
  });

  test('old pods that do not work are replaced whatever else is away', async () => {
    await using harness = await ControllerHarness.start(3);
    harness.kubelets.broken.add('nginx:broken');
    await harness.apply(workload('DaemonSet', {}, 'nginx:broken'));
    // The next template does not work either: of those that work none would be given for it.
    harness.kubelets.broken.add('nginx:2');
    await harness.apply(workload('DaemonSet', {}, 'nginx:2'));
    const images = (await harness.pods()).map(({ spec }) => spec.containers[0]?.image);
    expect(images).toEqual(['nginx:2', 'nginx:2', 'nginx:2']);
  });

  test('tolerations that every daemon has are not added twice', async () => {
    await using harness = await ControllerHarness.start(1);
    const toleration = {
      key: 'node.kubernetes.io/not-ready',
      operator: 'Exists',
      effect: 'NoExecute',
    };
    const template = {
      metadata: { labels: { app: 'web' } },
      spec: { tolerations: [toleration], containers: [{ name: 'c', image: 'nginx:1' }] },
    };
    await harness.apply(workload('DaemonSet', { template }));
    const [pod] = await harness.pods();
    expect(pod?.spec.tolerations?.filter(({ key }) => key === toleration.key)).toEqual([
      toleration,
    ]);
  });

  test('one pod a node; a new node gets one, a cordoned node keeps its own', async () => {
    await using harness = await ControllerHarness.start(2);
    await harness.apply(workload('DaemonSet', {}));
    expect(nodesOf(await harness.pods())).toEqual(['node-1', 'node-2']);
    await harness.plane.client.resource('nodes').patch('node-1', undefined, {
      type: 'merge',
      body: { spec: { unschedulable: true } },
    });
    await harness.plane.client.resource('nodes').create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node-3' },
      spec: {},
      status: { allocatable: { pods: '10' }, conditions: [{ type: 'Ready', status: 'True' }] },
    });
    await harness.settle();
    expect(nodesOf(await harness.pods())).toEqual(['node-1', 'node-2', 'node-3']);
  });

  test('a nodeSelector and taints keep it off nodes', async () => {
    await using harness = await ControllerHarness.start(3);
    await harness.plane.client.resource('nodes').patch('node-3', undefined, {
      type: 'merge',
      body: { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
    });
    await harness.apply(workload('DaemonSet', {}));
    expect((await harness.pods()).length).toBe(2);
    const { status } = await harness.plane.client.resource('daemonsets').get('web', 'default');
    expect(status).toMatchObject({ desiredNumberScheduled: 2, numberReady: 2, numberAvailable: 2 });
  });

  test('an update replaces one pod at a time, and history can be gone back in', async () => {
    await using harness = await ControllerHarness.start(3);
    await harness.apply(workload('DaemonSet', {}));
    await harness.apply(workload('DaemonSet', {}, 'nginx:2'));
    expect(
      (await harness.pods()).every(({ spec }) => spec.containers[0]?.image === 'nginx:2'),
    ).toBe(true);
    const { items } = await harness.plane.client.resource('controllerrevisions').list();
    expect(items.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual([1, 2]);
  });
});
