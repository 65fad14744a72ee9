import { isApiError } from '../../src/api/status-errors.ts';
import type { Pod } from '../../src/api/types/core.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { ManualClock } from '../../src/base/clock.ts';
import { formatMicroTimestamp, formatTimestamp } from '../../src/base/timestamp.ts';
import { Informer } from '../../src/controlplane/client/informer.ts';
import type { ControlPlane } from '../../src/controlplane/control-plane.ts';

/**
 * Stands in for the kubelets of every node that is not silenced: bound pods become Running and Ready at once,
 * deleted ones go at once, and leases are renewed when told.
 */
export class FakeKubelets implements AsyncDisposable {
  /** Nodes that have stopped answering. */
  readonly silent: Set<string> = new Set();
  /** Pods of these images never become ready. */
  readonly broken: Set<string> = new Set();
  readonly #plane: ControlPlane;
  readonly #clock: ManualClock;
  readonly #informer: Informer<Pod>;
  readonly #pending = new Set<Promise<void>>();
  #addresses = 0;

  constructor(plane: ControlPlane, clock: ManualClock) {
    this.#plane = plane;
    this.#clock = clock;
    this.#informer = new Informer('fake kubelets', {
      client: plane.client.resource('pods'),
      clock,
      logger: silentLogger,
    });
    this.#informer.subscribe((pod) => {
      if (pod !== undefined) this.#act(pod);
    });
  }

  /** Looks at all pods again, after a node came back. */
  wake(): void {
    for (const pod of this.#informer.list()) this.#act(pod);
  }

  async renewLeases(): Promise<void> {
    const { items } = await this.#plane.client.resource('nodes').list();
    for (const { metadata } of items) {
      const { name = '' } = metadata;
      if (this.silent.has(name)) continue;
      const lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name, namespace: 'kube-node-lease' },
        spec: { renewTime: formatMicroTimestamp(this.#clock.wallNow()) },
      };
      const leases = this.#plane.client.resource('leases');
      try {
        await leases.update(lease);
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
        await leases.create(lease);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#informer.close();
    await Promise.all(this.#pending);
  }

  #act(pod: Pod): void {
    if (pod.spec.nodeName === undefined || this.silent.has(pod.spec.nodeName)) return;
    if (pod.metadata.deletionTimestamp !== undefined) this.#track(this.#remove(pod));
    else if (pod.status?.podIP === undefined) this.#track(this.#run(pod));
  }

  #track(done: Promise<void>): void {
    const settled = done
      .catch((error: unknown) => {
        if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
      })
      .finally(() => this.#pending.delete(settled));
    this.#pending.add(settled);
  }

  async #remove({ metadata }: Pod): Promise<void> {
    await this.#plane.client
      .resource('pods')
      .delete(metadata.name ?? '', metadata.namespace, { gracePeriodSeconds: 0 });
  }

  async #run(pod: Pod): Promise<void> {
    this.#addresses += 1;
    const ip = `127.244.${this.#addresses >> 8}.${this.#addresses & 255}`;
    const ready = !this.broken.has(pod.spec.containers[0]?.image ?? '');
    await this.#plane.client.resource('pods').updateStatus({
      ...pod,
      status: {
        ...pod.status,
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [
          ...(pod.status?.conditions ?? []),
          {
            type: 'Ready',
            status: ready ? 'True' : 'False',
            lastTransitionTime: formatTimestamp(this.#clock.wallNow()),
          },
        ],
      },
    });
  }
}
