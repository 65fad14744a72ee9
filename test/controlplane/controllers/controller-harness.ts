import { parseManifest } from '../../../src/api/manifest.ts';
import type { Pod } from '../../../src/api/types/core.ts';
import type { ManualClock } from '../../../src/base/clock.ts';
import { parseCidr } from '../../../src/base/ip.ts';
import type { ControlPlane } from '../../../src/controlplane/control-plane.ts';
import { FakeKubelets } from '../fake-kubelets.ts';
import { settle, startTestPlane, testNode } from '../support.ts';

/** A control plane with nodes whose kubelets are fakes, in virtual time. */
export class ControllerHarness implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly clock: ManualClock;
  readonly kubelets: FakeKubelets;

  private constructor(plane: ControlPlane, clock: ManualClock) {
    this.plane = plane;
    this.clock = clock;
    this.kubelets = new FakeKubelets(plane, clock);
  }

  static async start(nodes = 3): Promise<ControllerHarness> {
    const serviceCidr = parseCidr('127.96.0.0/16');
    const pool = parseCidr('127.18.255.0/29');
    if (serviceCidr === undefined || pool === undefined) throw new Error('bad CIDR');
    const { plane, clock } = await startTestPlane({
      config: {
        serviceCidr,
        loadBalancerPools: [{ name: 'default', blocks: [{ cidr: pool }], avoidBuggyIps: true }],
      },
    });
    const harness = new ControllerHarness(plane, clock);
    for (let index = 1; index <= nodes; index += 1)
      await plane.client.resource('nodes').create(testNode(`node-${index}`));
    await harness.kubelets.renewLeases();
    await harness.settle();
    return harness;
  }

  /** Applies YAML; every object must be accepted. */
  async apply(text: string): Promise<void> {
    const { objects, errors } = parseManifest(text, 'test');
    if (errors[0] !== undefined) throw new Error(errors[0].message);
    for (const object of objects) await this.plane.apply(object);
    await this.settle();
  }

  /** Everything that needs no time has happened. */
  async settle(): Promise<void> {
    await settle(this.clock, 300);
  }

  /** Lets time go by in steps, with the nodes' heartbeats. */
  async pass(totalMs: number): Promise<void> {
    for (let passed = 0; passed < totalMs; passed += 5_000) {
      this.clock.advance(Math.min(5_000, totalMs - passed));
      await this.kubelets.renewLeases();
      await this.settle();
    }
  }

  async pods(selector = ''): Promise<readonly Pod[]> {
    const { items } = await this.plane.client
      .resource('pods')
      .list({ namespace: 'default', labelSelector: selector });
    return items;
  }

  async eventReasons(): Promise<ReadonlySet<string>> {
    const { items } = await this.plane.client.resource('events').list();
    return new Set(items.map(({ reason = '' }) => reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kubelets[Symbol.asyncDispose]();
    await this.plane[Symbol.asyncDispose]();
  }
}

/** A workload of this kind with one container, as YAML; `extra` is merged into its spec. */
export function workload(
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet',
  spec: object,
  image = 'nginx:1',
): string {
  const labels = { app: 'web' };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image }] } },
      ...spec,
    },
  });
}
