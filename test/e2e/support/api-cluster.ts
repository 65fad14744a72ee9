import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Deployment } from '../../../src/api/types/apps.ts';
import type { Node, Pod, Service } from '../../../src/api/types/core.ts';
import type { EndpointSlice } from '../../../src/api/types/discovery.ts';
import { ApiClient } from './api-client.ts';
import { freePort } from '../../support/free-port.ts';
import { type Finished, RunningUp, runPodwire } from './podwire.ts';

const POLL_MS = 20;
/** Addresses of its own, so that it runs beside any other cluster of the machine. */
const OWN_PLAN: readonly string[] = [
  ['--node-cidr', '127.118.0.0/16'],
  ['--lb-cidr', '127.118.255.0/24'],
  ['--pod-cidr', '127.144.0.0/16'],
  ['--service-cidr', '127.196.0.0/16'],
].flat();

/**
 * A Deployment `web` of pods that serve HTTP on 8080 and have a readiness probe, and a Service of that type for it. `more`
 * are further lines of the Deployment's spec; further objects may follow.
 */
export function webManifest(replicas: number, service: string, more = ''): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
${more}  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: c
          image: tomcat:1
          ports: [{ containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: ${service}, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---`;
}

/** A running `podwire up` with a manifest, and its API. */
export class ApiCluster implements AsyncDisposable {
  readonly api: ApiClient;
  /** Answers for the cluster's names on 127.0.0.1. */
  readonly dnsPort: number;
  readonly #resolver = new Resolver();
  readonly #up: RunningUp;
  readonly #folder: string;

  private constructor(api: ApiClient, dnsPort: number, up: RunningUp, folder: string) {
    this.api = api;
    this.dnsPort = dnsPort;
    this.#resolver.setServers([`127.0.0.1:${dnsPort}`]);
    this.#up = up;
    this.#folder = folder;
  }

  static async start(manifest: string, ...args: string[]): Promise<ApiCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-cluster-'));
    const file = join(folder, 'manifest.yaml');
    writeFileSync(file, manifest);
    const [port, dnsPort] = [await freePort(), await freePort()];
    const own = [
      ['--dns-listen', `127.0.0.1:${dnsPort}`],
      ['--insecure-port', String(port)],
      ['--api-listen', `127.0.0.1:${await freePort()}`],
      ['-f', file],
    ].flat();
    try {
      const up = await RunningUp.start([...OWN_PLAN, ...own, ...args]);
      return new ApiCluster(new ApiClient(`http://127.0.0.1:${port}`), dnsPort, up, folder);
    } catch (error) {
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.#up.pid, signal);
  }

  /** `podwire node …` against this cluster. */
  node(...args: string[]): Promise<Finished> {
    return runPodwire(['node', ...args, '--kubeconfig', this.#up.kubeconfig]);
  }

  async service(name: string): Promise<Service> {
    const { body } = await this.api.ask('GET', `/api/v1/namespaces/default/services/${name}`);
    return body as unknown as Service;
  }

  async deployment(name: string): Promise<Deployment> {
    const path = `/apis/apps/v1/namespaces/default/deployments/${name}`;
    const { body } = await this.api.ask('GET', path);
    return body as unknown as Deployment;
  }

  pods(selector: string): Promise<readonly Pod[]> {
    return this.api.list<Pod>(`/api/v1/namespaces/default/pods?labelSelector=${selector}`);
  }

  /** Of all namespaces, as are nodes and Services, by name. */
  async allPods(): Promise<Map<string, Pod>> {
    const pods = await this.api.list<Pod>('/api/v1/pods');
    return new Map(pods.map((pod) => [pod.metadata.name ?? '', pod]));
  }

  nodes(): Promise<readonly Node[]> {
    return this.api.list<Node>('/api/v1/nodes');
  }

  services(): Promise<readonly Service[]> {
    return this.api.list<Service>('/api/v1/services');
  }

  scale(deployment: string, replicas: number): Promise<void> {
    const path = `/apis/apps/v1/namespaces/default/deployments/${deployment}`;
    return this.api.patch(path, { spec: { replicas } });
  }

  /** What the cluster's DNS says of a name of the namespace default, in order. */
  async resolve(name: string): Promise<string[]> {
    return (await this.#resolver.resolve4(`${name}.default.svc.cluster.local`)).toSorted();
  }

  /** Addresses of a Service's ready endpoints, in order. */
  async endpoints(service: string): Promise<string[]> {
    const slices = await this.api.list<EndpointSlice>(
      `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=${service}`,
    );
    return slices
      .flatMap(({ endpoints }) => endpoints ?? [])
      .flatMap(({ conditions, addresses }) => (conditions?.ready === true ? addresses : []))
      .toSorted();
  }

  /** Looks again and again; the test's own timeout ends it. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((settle) => setTimeout(settle, POLL_MS));
  }

  /** The Deployment's newest template is everywhere and available (kubectl rollout status). */
  untilRolledOut(name: string): Promise<void> {
    return this.until(async () => {
      const { metadata, spec, status } = await this.deployment(name);
      return (
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === spec.replicas &&
        status?.replicas === spec.replicas &&
        status?.availableReplicas === spec.replicas
      );
    });
  }

  /** Resolves once it has ended; disposing does the rest. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    await this.#up.stop(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    await this.#up.stop('SIGKILL');
    rmSync(this.#folder, { recursive: true });
  }
}
