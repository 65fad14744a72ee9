// A cluster that was switched off, or killed, comes back as its machines would after a reboot.
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Node, Pod, Service } from '../../src/api/types/core.ts';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import { cidrContains, parseCidr, parseIp } from '../../src/base/ip.ts';
import { ApiClient } from './support/api-client.ts';
import { OWN_PLAN } from './support/api-cluster.ts';
import { freePort } from '../support/free-port.ts';
import { curl, has, RunningUp } from './support/podwire.ts';

const MANIFEST = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 5
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: c
          image: tomcat
          ports: [{ containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
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
let up: RunningUp | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-restart-'));
  writeFileSync(join(folder, 'manifest.yaml'), MANIFEST);
});

afterEach(async () => {
  await up?.stop('SIGKILL');
  up = undefined;
  rmSync(folder, { recursive: true });
});

/** What a user sees of a cluster. */
class Cluster implements Disposable {
  readonly #api: ApiClient;
  readonly #resolver = new Resolver();

  private constructor(api: ApiClient, dnsPort: number) {
    this.#api = api;
    this.#resolver.setServers([`127.0.0.1:${dnsPort}`]);
  }

  /** Always with the same seed: not even that may bring back names, UIDs or addresses. */
  static async start(...args: string[]): Promise<Cluster> {
    const [port, dnsPort] = [await freePort(), await freePort()];
    const own = [
      OWN_PLAN,
      ['--dns-listen', `127.0.0.1:${dnsPort}`],
      ['--data-dir', join(folder, 'data')],
      ['--insecure-port', String(port)],
      ['--api-listen', `127.0.0.1:${await freePort()}`],
      ['--seed', 'restart'],
      ['--nodes', '3'],
    ].flat();
    up = await RunningUp.start([...own, ...args]);
    return new Cluster(new ApiClient(`http://127.0.0.1:${port}`), dnsPort);
  }

  nodes = () => this.#api.list<Node>('/api/v1/nodes');
  services = () => this.#api.list<Service>('/api/v1/services');

  /** By name. */
  async pods(): Promise<Map<string, Pod>> {
    const pods = await this.#api.list<Pod>('/api/v1/pods');
    return new Map(pods.map((pod) => [pod.metadata.name ?? '', pod]));
  }

  /** Addresses of a Service's ready endpoints, in order. */
  async endpoints(service: string): Promise<string[]> {
    const slices = await this.#api.list<EndpointSlice>(
      `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=${service}`,
    );
    return slices
      .flatMap(({ endpoints }) => endpoints ?? [])
      .flatMap(({ conditions, addresses }) => (conditions?.ready === true ? addresses : []))
      .toSorted();
  }

  async resolve(name: string): Promise<string[]> {
    return (await this.#resolver.resolve4(`${name}.default.svc.cluster.local`)).toSorted();
  }

  async scale(name: string, replicas: number): Promise<void> {
    await this.#api.patch(`/apis/apps/v1/namespaces/default/deployments/${name}`, {
      spec: { replicas },
    });
  }

  [Symbol.dispose](): void {
    this.#api[Symbol.dispose]();
  }
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
    using first = await Cluster.start('-f', join(folder, 'manifest.yaml'));
    const [services, pods, nodes] = [
      await first.services(),
      await first.pods(),
      await first.nodes(),
    ];
    await up?.stop(signal);

    using second = await Cluster.start();
    const after = await second.pods();
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
    while ((await second.endpoints('web')).length < 12)
      await new Promise((settle) => setTimeout(settle, 50));
    const grown = await second.pods();
    expect(grown.size).toBe(after.size + 7);
    expectAddressesInOrder(grown, nodes);
    expect(new Set([...grown.values()].map(({ metadata }) => metadata.uid)).size).toBe(grown.size);
  });
});

test('three kills in a row, one of them in the middle of the start', async () => {
  using first = await Cluster.start('-f', join(folder, 'manifest.yaml'));
  const before = await first.pods();
  await up?.stop('SIGKILL');
  // Nothing is waited for: pods are on their way up when it dies.
  for (let round = 0; round < 2; round += 1) {
    (await Cluster.start('--wait', '0'))[Symbol.dispose]();
    await up?.stop('SIGKILL');
  }
  using last = await Cluster.start();
  const after = await last.pods();
  expect([...after.keys()]).toEqual([...before.keys()]);
  expectAddressesInOrder(after, await last.nodes());
  expect(await last.endpoints('web')).toEqual(addressesOf(after, 'web'));
});
