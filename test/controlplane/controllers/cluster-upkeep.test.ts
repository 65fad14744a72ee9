import { describe, expect, test } from 'vitest';
import { isApiError } from '../../../src/api/status-errors.ts';
import { ControllerHarness, workload } from './controller-harness.ts';

describe('owners and their dependents', () => {
  test('in the background: the owner goes at once, then its dependents', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2 }));
    await harness.plane.client.resource('deployments').delete('web', 'default');
    await harness.settle();
    expect((await harness.plane.client.resource('replicasets').list()).items).toEqual([]);
    expect(await harness.pods()).toEqual([]);
  });

  test('in the foreground: the owner goes last', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2 }));
    for (const node of ['node-1', 'node-2', 'node-3']) harness.kubelets.silent.add(node);
    await harness.plane.client
      .resource('deployments')
      .delete('web', 'default', { propagationPolicy: 'Foreground' });
    await harness.settle();
    const waiting = await harness.plane.client.resource('deployments').get('web', 'default');
    expect(waiting.metadata.finalizers).toEqual(['foregroundDeletion']);
    harness.kubelets.silent.clear();
    harness.kubelets.wake();
    await harness.settle();
    expect((await harness.plane.client.resource('deployments').list()).items).toEqual([]);
    expect(await harness.pods()).toEqual([]);
  });

  test('orphaned: the dependents live on without an owner', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 2 }));
    await harness.plane.client
      .resource('deployments')
      .delete('web', 'default', { propagationPolicy: 'Orphan' });
    await harness.settle();
    const { items } = await harness.plane.client.resource('replicasets').list();
    expect(items.map(({ metadata }) => metadata.ownerReferences)).toEqual([undefined]);
    expect((await harness.pods()).length).toBe(2);
  });
});

describe('namespaces', () => {
  test('are emptied before they go, and refuse new objects meanwhile', async () => {
    await using harness = await ControllerHarness.start();
    const namespaces = harness.plane.client.resource('namespaces');
    await namespaces.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'busy' } });
    await harness.settle();
    const accounts = await harness.plane.client
      .resource('serviceaccounts')
      .list({ namespace: 'busy' });
    expect(accounts.items.map(({ metadata }) => metadata.name)).toEqual(['default']);
    const configMaps = harness.plane.client.resource('configmaps');
    await configMaps.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'held', namespace: 'busy', finalizers: ['example.org/held'] },
    });
    await namespaces.delete('busy');
    await harness.settle();
    const { status } = await namespaces.get('busy');
    expect(status?.phase).toBe('Terminating');
    expect(status?.conditions?.map(({ type, status: is, message }) => [type, is, message])).toEqual(
      [
        ['NamespaceDeletionDiscoveryFailure', 'False', 'All resources successfully discovered'],
        [
          'NamespaceDeletionGroupVersionParsingFailure',
          'False',
          'All legacy kube types successfully parsed',
        ],
        [
          'NamespaceDeletionContentFailure',
          'False',
          'All content successfully deleted, may be waiting on finalization',
        ],
        [
          'NamespaceContentRemaining',
          'True',
          'Some resources are remaining: configmaps. has 1 resource instances',
        ],
        [
          'NamespaceFinalizersRemaining',
          'True',
          'Some content in the namespace has finalizers remaining: example.org/held in 1 resource instances',
        ],
      ],
    );
    const refused = configMaps.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'late', namespace: 'busy' },
    });
    await expect(refused).rejects.toMatchObject({ reason: 'Forbidden' });
    await configMaps.patch('held', 'busy', {
      type: 'merge',
      body: { metadata: { finalizers: null } },
    });
    await harness.settle();
    await expect(namespaces.get('busy')).rejects.toSatisfy((error) =>
      isApiError(error, 'NotFound'),
    );
  });
});

describe('nodes', () => {
  test('a silent node: unready pods leave the endpoints after 40 s, and are evicted after their toleration', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(
      [
        workload('Deployment', { replicas: 3 }),
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'web' },
          spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
        }),
      ].join('\n---\n'),
    );
    const ready = async (): Promise<number> => {
      const { items } = await harness.plane.client
        .resource('endpointslices')
        .list({ labelSelector: 'kubernetes.io/service-name=web' });
      return items
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready).length;
    };
    expect(await ready()).toBe(3);
    harness.kubelets.silent.add('node-1');
    await harness.pass(35_000);
    expect(await ready()).toBe(3);
    await harness.pass(10_000);
    expect(await ready()).toBe(2);
    const node = await harness.plane.client.resource('nodes').get('node-1');
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
    });
    expect(node.spec.taints?.map(({ key, effect }) => `${key}:${effect}`)).toEqual([
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
    // DefaultTolerationSeconds: five minutes later they come up elsewhere.
    await harness.pass(305_000);
    expect(await ready()).toBe(3);
    const running = (await harness.pods()).filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
    expect(running.map(({ spec }) => spec.nodeName)).not.toContain('node-1');
    harness.kubelets.silent.clear();
    await harness.plane.client.resource('nodes').updateStatus({
      ...node,
      status: {
        ...node.status,
        conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T01:00:00Z' }],
      },
    });
    harness.kubelets.wake();
    await harness.pass(10_000);
    expect(
      (await harness.plane.client.resource('nodes').get('node-1')).spec.taints,
    ).toBeUndefined();
  });

  test('when no node answers, nothing is evicted; once one does, the others are', async () => {
    await using harness = await ControllerHarness.start(2);
    await harness.apply(workload('Deployment', { replicas: 2 }));
    const before = (await harness.pods()).map(({ metadata }) => metadata.name);
    for (const name of ['node-1', 'node-2']) harness.kubelets.silent.add(name);
    const effects = async (name: string) =>
      (await harness.plane.client.resource('nodes').get(name)).spec.taints?.map(
        ({ effect }) => effect,
      );
    await harness.pass(400_000);
    expect(await effects('node-1')).toEqual(['NoSchedule']);
    expect((await harness.pods()).map(({ metadata }) => metadata.name)).toEqual(before);
    harness.kubelets.silent.delete('node-2');
    const node = await harness.plane.client.resource('nodes').get('node-2');
    await harness.plane.client.resource('nodes').updateStatus({
      ...node,
      status: {
        ...node.status,
        conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T01:00:00Z' }],
      },
    });
    await harness.pass(10_000);
    expect(await effects('node-1')).toEqual(['NoSchedule', 'NoExecute']);
  });

  test('a node that is deleted takes its pods along; they are made again elsewhere', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply(workload('Deployment', { replicas: 3 }));
    await harness.plane.client.resource('nodes').delete('node-2');
    harness.kubelets.silent.add('node-2');
    await harness.settle();
    const nodes = (await harness.pods()).map(({ spec }) => spec.nodeName);
    expect(nodes.length).toBe(3);
    expect(nodes).not.toContain('node-2');
  });
});

describe('the scheduler', () => {
  test('says why a pod stays Pending, as the real one words it, and binds it once it can', async () => {
    await using harness = await ControllerHarness.start(3);
    await harness.plane.client.resource('nodes').patch('node-1', undefined, {
      type: 'merge',
      body: { spec: { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] } },
    });
    await harness.plane.client.resource('nodes').patch('node-2', undefined, {
      type: 'merge',
      body: { spec: { unschedulable: true } },
    });
    await harness.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'big' },
        spec: {
          containers: [{ name: 'c', image: 'nginx', resources: { requests: { cpu: '64' } } }],
        },
      }),
    );
    const { items } = await harness.plane.client
      .resource('events')
      .list({ fieldSelector: 'reason=FailedScheduling' });
    expect(items[0]?.message).toBe(
      '0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
    );
    const [pod] = await harness.pods();
    expect(pod?.status?.conditions?.[0]).toMatchObject({
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
    });
    await harness.plane.client.resource('nodes').updateStatus({
      ...(await harness.plane.client.resource('nodes').get('node-3')),
      status: {
        allocatable: { cpu: '128', pods: '10' },
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
    await harness.settle();
    expect((await harness.pods())[0]?.spec.nodeName).toBe('node-3');
  });

  test('keeps a hard topology spread', async () => {
    await using harness = await ControllerHarness.start(4);
    for (const [index, zone] of ['a', 'a', 'a', 'b'].entries())
      await harness.plane.client.resource('nodes').patch(`node-${index + 1}`, undefined, {
        type: 'merge',
        body: { metadata: { labels: { zone } } },
      });
    const labels = { app: 'web' };
    await harness.apply(
      workload('Deployment', {
        replicas: 6,
        template: {
          metadata: { labels },
          spec: {
            containers: [{ name: 'c', image: 'nginx' }],
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: 'zone',
                whenUnsatisfiable: 'DoNotSchedule',
                labelSelector: { matchLabels: labels },
              },
            ],
          },
        },
      }),
    );
    const inB = (await harness.pods()).filter(({ spec }) => spec.nodeName === 'node-4').length;
    expect(inB).toBe(3);
  });
});

describe('load balancers and budgets', () => {
  const loadBalancer = (name: string) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80 }] },
    });

  test('addresses come from the pool, are kept, and go back; a full pool says so', async () => {
    await using harness = await ControllerHarness.start(1);
    const services = harness.plane.client.resource('services');
    const addressOf = async (name: string) =>
      (await services.get(name, 'default')).status?.loadBalancer?.ingress?.[0]?.ip;
    // Of the /29's eight addresses, .0 is kept back.
    for (let index = 1; index <= 8; index += 1) await harness.apply(loadBalancer(`lb-${index}`));
    expect(await addressOf('lb-1')).toBe('127.18.255.1');
    expect(await addressOf('lb-8')).toBeUndefined();
    expect(await harness.eventReasons()).toContain('AllocationFailed');
    await services.delete('lb-1', 'default');
    await harness.settle();
    expect(await addressOf('lb-8')).toBe('127.18.255.1');
  });

  test('a budget allows as many evictions as it can spare', async () => {
    await using harness = await ControllerHarness.start(1);
    await harness.apply(workload('Deployment', { replicas: 4 }));
    await harness.apply(
      JSON.stringify({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'web' },
        spec: { maxUnavailable: '25%', selector: { matchLabels: { app: 'web' } } },
      }),
    );
    const { status } = await harness.plane.client
      .resource('poddisruptionbudgets')
      .get('web', 'default');
    expect(status).toMatchObject({
      disruptionsAllowed: 1,
      currentHealthy: 4,
      desiredHealthy: 3,
      expectedPods: 4,
    });
  });
});

test('events are counted when they repeat, and expire after an hour', async () => {
  await using harness = await ControllerHarness.start(1);
  await harness.apply(workload('Deployment', { replicas: 1 }));
  expect((await harness.eventReasons()).size).toBeGreaterThan(2);
  await harness.pass(3_700_000 / 8);
  const before = await harness.eventReasons();
  expect(before).toContain('ScalingReplicaSet');
  harness.clock.advance(3_600_000);
  await harness.settle();
  expect(await harness.eventReasons()).not.toContain('ScalingReplicaSet');
});
