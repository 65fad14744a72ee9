import { equalJson } from '../../api/json.ts';
import { type LabelRequirements, matchesLabels } from '../../api/label-selector.ts';
import type { Pod } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import type { Informer } from '../client/informer.ts';
import { type ReconcileResult, startController } from './controller.ts';
import {
  type ControllerContext,
  type ControllerTools,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import { claimPods, podCandidates, podOwnerKeys, watchOwnedPods } from './owned-pods.ts';
import { availableInMs } from './pod-facts.ts';
import { PodFactory } from './pod-factory.ts';

type WorkloadResource = 'replicasets' | 'replicationcontrollers' | 'daemonsets' | 'statefulsets';

/** An object that owns pods. */
interface WorkloadObject extends KubeObject {
  spec: { minReadySeconds?: number };
  status?: unknown;
}

/** What differs between the kinds that own pods. */
export interface WorkloadFlavor<T extends WorkloadObject> {
  readonly resource: WorkloadResource;
  readonly kind: string;
  readonly component: string;
  readonly owners: Informer<T>;
  selector(owner: T): LabelRequirements;
}

/**
 * What the controllers of ReplicaSets, ReplicationControllers, DaemonSets and StatefulSets have in common: the pods of an
 * owner, their making, and the owner's status.
 */
export class Workload<T extends WorkloadObject> {
  readonly tools: ControllerTools;
  readonly factory: PodFactory;
  readonly #context: ControllerContext;
  readonly #flavor: WorkloadFlavor<T>;
  readonly #index: InformerIndex<Pod>;

  constructor(context: ControllerContext, flavor: WorkloadFlavor<T>) {
    this.#context = context;
    this.#flavor = flavor;
    this.tools = controllerTools(context, flavor.component);
    this.factory = new PodFactory(this.tools.client, this.tools.events);
    this.#index = new InformerIndex(context.informers.of('pods'), podOwnerKeys);
  }

  /** `reconcile` is called for owners that exist, when they or their pods change, and for what `watch` adds. */
  start(
    reconcile: (owner: T) => Promise<ReconcileResult | undefined>,
    watch: (enqueue: (owner: T) => void) => readonly (() => void)[] = () => [],
  ): Resource {
    const { clock, logger, informers } = this.#context;
    const { component, kind, owners } = this.#flavor;
    return startController({
      name: component,
      clock,
      logger,
      writes: this.tools.writes,
      watch: (queue) => {
        const enqueue = (owner: T): void => queue.add(objectKey(owner));
        const selects = (owner: T, pod: Pod): boolean =>
          matchesLabels(this.#flavor.selector(owner), pod.metadata.labels);
        return [
          owners.subscribe((current, previous) => {
            const owner = current ?? previous;
            if (owner !== undefined) enqueue(owner);
          }),
          watchOwnedPods<T>(informers.of('pods'), owners, kind, selects, enqueue),
          ...watch(enqueue),
          () => this.#index.close(),
        ];
      },
      reconcile: async (key) => {
        const { namespace, name } = splitKey(key);
        const owner = owners.get(name, namespace);
        return owner === undefined ? undefined : reconcile(owner);
      },
    });
  }

  /** The owner's pods, kept in step with its selector; of others' only those that `mayBe` its own. */
  claim(owner: T, mayBe: (pod: Pod) => boolean = () => true): Promise<Pod[]> {
    const candidates = podCandidates(owner, this.#index).filter(mayBe);
    return claimPods(owner, this.#flavor.selector(owner), candidates, this.tools.client);
  }

  /** An unchanged status is not written again. */
  async writeStatus(owner: T, status: NonNullable<T['status']>): Promise<void> {
    if (equalJson(status, owner.status ?? {})) return;
    const { name = '', namespace } = owner.metadata;
    await this.tools.client.resource(this.#flavor.resource).patch(name, namespace, {
      type: 'json',
      body: [{ op: 'add', path: '/status', value: status }],
      subresource: 'status',
    });
  }

  /** Ready for as long as the owner's minReadySeconds. */
  isAvailable(owner: T, pod: Pod): boolean {
    return availableInMs(pod, minReadySeconds(owner), this.#clock.wallNow()) === 0;
  }

  /** When the next of the ready pods becomes available. */
  nextAvailability(owner: T, pods: readonly Pod[]): ReconcileResult | undefined {
    const now = this.#clock.wallNow();
    const waits = pods
      .map((pod) => availableInMs(pod, minReadySeconds(owner), now))
      .filter((wait): wait is number => wait !== undefined && wait > 0);
    return waits.length === 0 ? undefined : { afterMs: Math.min(...waits) };
  }

  get #clock(): Clock {
    return this.#context.clock;
  }
}

function minReadySeconds(owner: WorkloadObject): number {
  return owner.spec.minReadySeconds ?? 0;
}
