import { equalJson } from '../../api/json.ts';
import { matchesLabels, selectorRequirements } from '../../api/label-selector.ts';
import type { LabelRequirements } from '../../api/label-selector.ts';
import type { ReplicaSet } from '../../api/types/apps.ts';
import type { Pod, PodTemplateSpec, ReplicationController } from '../../api/types/core.ts';
import type { Condition } from '../../api/types/meta.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { type ReconcileResult, startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import { claimPods, podCandidates, podOwnerKeys, watchOwnedPods } from './owned-pods.ts';
import { PodFactory, podFromTemplate } from './pod-factory.ts';
import { availableInMs, byDeletionOrder, isPodActive, isPodReady } from './pod-facts.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

/** Pods made or removed in one go (replicaset.BurstReplicas). */
const BURST = 500;

type Replicator = ReplicaSet | ReplicationController;

/** What differs between ReplicaSets and ReplicationControllers. */
interface Flavor<T extends Replicator> {
  readonly resource: 'replicasets' | 'replicationcontrollers';
  readonly kind: string;
  readonly component: string;
  selector(object: T): LabelRequirements;
}

const replicaSetFlavor: Flavor<ReplicaSet> = {
  resource: 'replicasets',
  kind: 'ReplicaSet',
  component: 'replicaset-controller',
  selector: (set) => selectorRequirements(set.spec.selector) ?? [],
};

const replicationControllerFlavor: Flavor<ReplicationController> = {
  resource: 'replicationcontrollers',
  kind: 'ReplicationController',
  component: 'replication-controller',
  selector: (controller) =>
    selectorRequirements({ matchLabels: controller.spec.selector ?? {} }) ?? [],
};

export function startReplicaSetController(context: ControllerContext): Resource {
  return startReplicator(context, replicaSetFlavor);
}

export function startReplicationControllerController(context: ControllerContext): Resource {
  return startReplicator(context, replicationControllerFlavor);
}

/** Keeps as many pods as the object asks for (pkg/controller/replicaset). */
function startReplicator(context: ControllerContext, flavor: Flavor<Replicator>): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, flavor.component);
  const owners = informers.of(flavor.resource);
  const pods = informers.of('pods');
  const index = new InformerIndex(pods, podOwnerKeys);
  const factory = new PodFactory(tools.client, tools.events);

  return startController({
    name: flavor.component,
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      owners.subscribe((current, previous) => {
        const object = current ?? previous;
        if (object !== undefined) queue.add(objectKey(object));
      }),
      watchOwnedPods<Replicator>(
        pods,
        owners,
        flavor.kind,
        (owner, pod) => matchesLabels(flavor.selector(owner), pod.metadata.labels),
        (owner) => queue.add(objectKey(owner)),
      ),
      () => index.close(),
    ],
    reconcile,
  });

  async function reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { namespace, name } = splitKey(key);
    const owner = owners.get(name, namespace);
    if (owner === undefined) return undefined;
    const claimed = await claimPods(
      owner,
      flavor.selector(owner),
      podCandidates(owner, index),
      tools.client,
    );
    const active = claimed.filter(isPodActive);
    const failure =
      owner.metadata.deletionTimestamp === undefined ? await scale(owner, active) : undefined;
    const status = statusOf(owner, claimed, failure);
    if (!equalJson(status, owner.status ?? {})) await writeStatus(owner, status);
    if (failure !== undefined) throw failure.error;
    return nextAvailability(owner, active);
  }

  async function scale(owner: Replicator, active: readonly Pod[]): Promise<Failure | undefined> {
    const missing = (owner.spec.replicas ?? 0) - active.length;
    try {
      if (missing > 0 && owner.spec.template !== undefined)
        await createMany(owner, owner.spec.template, Math.min(missing, BURST));
      if (missing < 0)
        await Promise.all(
          toDelete(active, Math.min(-missing, BURST)).map((pod) => factory.delete(owner, pod)),
        );
      return undefined;
    } catch (error) {
      return { reason: missing > 0 ? 'FailedCreate' : 'FailedDelete', error };
    }
  }

  /** In growing batches, so that a create that cannot work is not tried hundreds of times. */
  async function createMany(
    owner: Replicator,
    template: PodTemplateSpec,
    count: number,
  ): Promise<void> {
    let left = count;
    for (let batch = 1; left > 0; batch *= 2) {
      const size = Math.min(batch, left);
      await Promise.all(
        Array.from({ length: size }, () => factory.create(owner, podFromTemplate(owner, template))),
      );
      left -= size;
    }
  }

  function statusOf(
    owner: Replicator,
    claimed: readonly Pod[],
    failure: Failure | undefined,
  ): NonNullable<ReplicaSet['status']> {
    const active = claimed.filter(isPodActive);
    const labels = selectorRequirements({
      matchLabels: owner.spec.template?.metadata?.labels ?? {},
    });
    const now = clock.wallNow();
    const minReady = owner.spec.minReadySeconds ?? 0;
    const conditions = failureConditions(owner, failure, now);
    return compact({
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => matchesLabels(labels ?? [], pod.metadata.labels))
        .length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: active.filter((pod) => availableInMs(pod, minReady, now) === 0).length,
      observedGeneration: owner.metadata.generation ?? 0,
      conditions,
    });
  }

  async function writeStatus(
    owner: Replicator,
    status: NonNullable<ReplicaSet['status']>,
  ): Promise<void> {
    await tools.client
      .resource(flavor.resource)
      .patch(owner.metadata.name ?? '', owner.metadata.namespace, {
        type: 'json',
        body: [{ op: 'add', path: '/status', value: status }],
        subresource: 'status',
      });
  }

  function nextAvailability(
    owner: Replicator,
    active: readonly Pod[],
  ): ReconcileResult | undefined {
    const now = clock.wallNow();
    const waits = active
      .map((pod) => availableInMs(pod, owner.spec.minReadySeconds ?? 0, now))
      .filter((wait): wait is number => wait !== undefined && wait > 0);
    return waits.length === 0 ? undefined : { afterMs: Math.min(...waits) };
  }
}

interface Failure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly error: unknown;
}

function failureConditions(
  owner: Replicator,
  failure: Failure | undefined,
  nowMs: number,
): Condition[] {
  const others = (owner.status?.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure');
  if (failure === undefined) return others;
  const before = owner.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const condition: Condition = {
    type: 'ReplicaFailure',
    status: 'True',
    lastTransitionTime: before?.lastTransitionTime ?? formatTimestamp(nowMs),
    reason: failure.reason,
    message: errorMessage(failure.error),
  };
  return [...others, condition];
}

/** As Go writes it: counters that are 0 are left out, except `replicas`. */
function compact(status: NonNullable<ReplicaSet['status']>): NonNullable<ReplicaSet['status']> {
  const result = { ...status };
  for (const key of ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const)
    if (result[key] === 0) delete result[key];
  if (result.conditions?.length === 0) delete result.conditions;
  return result;
}

function toDelete(active: readonly Pod[], count: number): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of active) {
    const node = pod.spec.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const rank = (pod: Pod): number => perNode.get(pod.spec.nodeName ?? '') ?? 0;
  return active.toSorted(byDeletionOrder(rank)).slice(0, count);
}
