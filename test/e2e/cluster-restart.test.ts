// A cluster that was switched off, or killed, comes back as its machines would after a reboot.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/api/types/core.ts';
import { cidrContains, parseCidr, parseIp } from '../../src/base/ip.ts';
import { ApiCluster, webManifest } from './support/api-cluster.ts';
import { curl, has } from './support/podwire.ts';

const MANIFEST = `${webManifest(5, 'LoadBalancer')}
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db
  replicas: 2
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: c, image: tomcat, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: once }
spec: { restartPolicy: Never, containers: [{ name: c, image: tomcat }] }
`;

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-restart-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Always with the same seed: not even that may bring back names, UIDs or addresses. */
function start(manifest: string, ...args: string[]): Promise<ApiCluster> {
  const own = ['--data-dir', join(folder, 'data'), '--seed', 'restart', '--nodes', '3'];
  return ApiCluster.start(manifest, ...own, ...args);
}

function addressesOf(pods: Map<string, Pod>, app: string): string[] {
  return [...pods.values()]
    .filter(({ metadata }) => metadata.labels?.['app'] === app)
    .flatMap(({ status }) => status?.podIP ?? [])
    .toSorted();
}

/** Every running pod has an address of its own, out of its node's range. */
function expectAddressesInOrder(pods: Map<string, Pod>, nodes: readonly Node[]): void {
  const running = [...pods.values()].filter(({ status }) => status?.phase === 'Running');
  const addresses = running.map(({ status }) => status?.podIP);
  expect(new Set(addresses).size).toBe(running.length);
  for (const { spec, status } of running) {
    const node = nodes.find(({ metadata }) => metadata.name === spec.nodeName);
    const range = parseCidr(node?.spec.podCIDR ?? '');
    const ip = parseIp(status?.podIP ?? '');
    expect(range !== undefined && ip !== undefined && cidrContains(range, ip)).toBe(true);
  }
}

/** Which pods answer at the address, of so many requests. */
async function answering(url: string, requests: number): Promise<Set<string>> {
  const names = new Set<string>();
  for (let sent = 0; sent < requests; sent += 1)
    names.add(/^Hostname: (.*)$/m.exec(await curl(url))?.[1] ?? 'nobody');
  return names;
}

describe.skipIf(!has('curl')).each(['SIGTERM', 'SIGKILL'] as const)('after %s', (signal) => {
  test('everything comes back in step', async () => {
    await using first = await start(MANIFEST);
    const [services, pods, nodes] = [
      await first.services(),
      await first.allPods(),
      await first.nodes(),
    ];
    await first.stop(signal);

    await using second = await start('');
    const after = await second.allPods();
    expect(
      (await second.nodes()).map(({ metadata, spec }) => [metadata.uid, spec.podCIDR]),
    ).toEqual(nodes.map(({ metadata, spec }) => [metadata.uid, spec.podCIDR]));
    expect((await second.services()).map(({ spec, status }) => ({ spec, status }))).toEqual(
      services.map(({ spec, status }) => ({ spec, status })),
    );

    // The same pods on the same nodes, their containers run again.
    const identity = ({ metadata, spec }: Pod) => [metadata.name, metadata.uid, spec.nodeName];
    expect([...after.values()].map(identity)).toEqual([...pods.values()].map(identity));
    const ready = [...after.values()].filter(({ metadata }) => metadata.name !== 'once');
    expect(ready.map(({ status }) => status?.containerStatuses?.[0]?.restartCount)).toEqual(
      ready.map(() => 1),
    );
    const once = after.get('once')?.status;
    expect(once?.phase).toBe(signal === 'SIGKILL' ? 'Failed' : 'Succeeded');
    expectAddressesInOrder(after, nodes);

    // Endpoints, DNS and proxies say what the pods say.
    expect(await second.endpoints('web')).toEqual(addressesOf(after, 'web'));
    expect(await second.endpoints('db')).toEqual(addressesOf(after, 'db'));
    expect(await second.resolve('db')).toEqual(addressesOf(after, 'db'));
    expect(await second.resolve('db-0.db')).toEqual([after.get('db-0')?.status?.podIP]);
    const web = services.find(({ metadata }) => metadata.name === 'web');
    expect(await second.resolve('web')).toEqual([web?.spec.clusterIP]);
    const external = web?.status?.loadBalancer?.ingress?.[0]?.ip;
    const names = [...after.keys()].filter((name) => name.startsWith('web-'));
    for (const url of [
      `http://${external}`,
      `http://${web?.spec.clusterIP}`,
      `http://127.0.0.1:${web?.spec.ports?.[0]?.nodePort}`,
    ])
      expect([...(await answering(url, 10))].toSorted()).toEqual(names.toSorted());

    // What is made from now on takes nothing that is taken.
    await second.scale('web', 12);
    await second.until(async () => (await second.endpoints('web')).length === 12);
    const grown = await second.allPods();
    expect(grown.size).toBe(after.size + 7);
    expectAddressesInOrder(grown, nodes);
    expect(new Set([...grown.values()].map(({ metadata }) => metadata.uid)).size).toBe(grown.size);
  });
});

test('three kills in a row, one of them in the middle of the start', async () => {
  await using first = await start(MANIFEST);
  const before = await first.allPods();
  await first.stop('SIGKILL');
  // Nothing is waited for: pods are on their way up when it dies.
  for (let round = 0; round < 2; round += 1)
    await (await start('', '--wait', '0'))[Symbol.asyncDispose]();
  await using last = await start('');
  const after = await last.allPods();
  expect([...after.keys()]).toEqual([...before.keys()]);
  expectAddressesInOrder(after, await last.nodes());
  expect(await last.endpoints('web')).toEqual(addressesOf(after, 'web'));
});
