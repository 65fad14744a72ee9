import { describe, expect, test } from 'vitest';
import type { Endpoints } from '../../../src/api/types/core.ts';
import type { EndpointSlice } from '../../../src/api/types/discovery.ts';
import { ControllerHarness, workload } from './controller-harness.ts';

const SERVICE = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
});
const NO_SELECTOR = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'manual' },
  spec: { ports: [{ port: 80, targetPort: 9376 }] },
});

function manual(ips: readonly string[], labels: Record<string, string> = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'manual', labels },
    subsets: [{ addresses: ips.map((ip) => ({ ip })), ports: [{ port: 9376 }] }],
  });
}

async function slicesOf(harness: ControllerHarness, service: string) {
  const { items } = await harness.plane.client
    .resource('endpointslices')
    .list({ labelSelector: `kubernetes.io/service-name=${service}` });
  return items;
}

function addresses(slices: readonly EndpointSlice[]): string[] {
  return slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .flatMap((endpoint) => endpoint.addresses)
    .toSorted((a, b) => (a < b ? -1 : 1));
}

function readyAddresses({ subsets }: Endpoints): string[] {
  return (subsets ?? [])
    .flatMap((subset) => subset.addresses ?? [])
    .map(({ ip }) => ip)
    .toSorted((a, b) => (a < b ? -1 : 1));
}

describe('Endpoints and EndpointSlices of the same pods', () => {
  test('agree, while pods come and go', async () => {
    await using harness = await ControllerHarness.start();
    await harness.apply([workload('Deployment', { replicas: 3 }), SERVICE].join('\n---\n'));
    const endpoints = () => harness.plane.client.resource('endpoints').get('web', 'default');
    expect(readyAddresses(await endpoints())).toEqual(addresses(await slicesOf(harness, 'web')));
    expect(readyAddresses(await endpoints()).length).toBe(3);
    await harness.apply(workload('Deployment', { replicas: 5 }));
    expect(readyAddresses(await endpoints())).toEqual(addresses(await slicesOf(harness, 'web')));
    expect(readyAddresses(await endpoints()).length).toBe(5);
    await harness.plane.client.resource('services').delete('web', 'default');
    await harness.settle();
    expect(await slicesOf(harness, 'web')).toEqual([]);
    await expect(endpoints()).rejects.toMatchObject({ reason: 'NotFound' });
  });

  test('a pod on its way out: still serving in the slice, gone from the Endpoints', async () => {
    await using harness = await ControllerHarness.start(1);
    await harness.apply([workload('Deployment', { replicas: 1 }), SERVICE].join('\n---\n'));
    const [pod] = await harness.pods();
    harness.kubelets.silent.add('node-1');
    await harness.plane.client.resource('pods').delete(pod?.metadata.name ?? '', 'default');
    await harness.settle();
    const { subsets } = await harness.plane.client.resource('endpoints').get('web', 'default');
    expect(JSON.stringify(subsets ?? [])).not.toContain(pod?.status?.podIP);
    const endpoint = (await slicesOf(harness, 'web'))
      .flatMap(({ endpoints }) => endpoints ?? [])
      .find(({ targetRef }) => targetRef?.uid === pod?.metadata.uid);
    expect(endpoint?.conditions).toEqual({ ready: false, serving: true, terminating: true });
  });
});

describe('hand-written Endpoints', () => {
  test('are mirrored, followed and removed', async () => {
    await using harness = await ControllerHarness.start(1);
    await harness.apply([NO_SELECTOR, manual(['192.0.2.42', '192.0.2.43'])].join('\n---\n'));
    const [slice, ...others] = await slicesOf(harness, 'manual');
    expect(others).toEqual([]);
    expect(slice?.metadata.labels?.['endpointslice.kubernetes.io/managed-by']).toBe(
      'endpointslicemirroring-controller.k8s.io',
    );
    expect(slice?.ports).toEqual([{ name: '', port: 9376, protocol: 'TCP' }]);
    expect(addresses([slice as EndpointSlice])).toEqual(['192.0.2.42', '192.0.2.43']);

    await harness.apply(manual(['192.0.2.44']));
    const after = await slicesOf(harness, 'manual');
    expect(after.map(({ metadata }) => metadata.name)).toEqual([slice?.metadata.name]);
    expect(addresses(after)).toEqual(['192.0.2.44']);

    await harness.plane.client.resource('endpoints').delete('manual', 'default');
    await harness.settle();
    expect(await slicesOf(harness, 'manual')).toEqual([]);
  });

  test('more than a thousand: the first thousand, a thousand a slice', async () => {
    await using harness = await ControllerHarness.start(1);
    const ips = Array.from({ length: 1005 }, (_, index) => `198.18.${index >> 8}.${index & 255}`);
    await harness.apply([NO_SELECTOR, manual(ips)].join('\n---\n'));
    expect(addresses(await slicesOf(harness, 'manual')).length).toBe(1000);
  });

  test.each([
    ['with the skip-mirror label', { 'endpointslice.kubernetes.io/skip-mirror': 'true' }],
  ])('%s are left alone', async (_, labels) => {
    await using harness = await ControllerHarness.start(1);
    await harness.apply([NO_SELECTOR, manual(['192.0.2.42'], labels)].join('\n---\n'));
    expect(await slicesOf(harness, 'manual')).toEqual([]);
  });

  test('of a Service with a selector are its controller’s, and are put right', async () => {
    await using harness = await ControllerHarness.start(1);
    await harness.apply([workload('Deployment', { replicas: 1 }), SERVICE].join('\n---\n'));
    const endpoints = harness.plane.client.resource('endpoints');
    const before = await endpoints.get('web', 'default');
    await endpoints.update({ ...before, subsets: [] });
    await harness.settle();
    expect(readyAddresses(await endpoints.get('web', 'default'))).toEqual(readyAddresses(before));
  });
});
