import { matchesLabels, selectorRequirements } from '../../api/label-selector.ts';
import type { ReplicaSet } from '../../api/types/apps.ts';
import type { Pod, PodTemplateSpec, ReplicationController } from '../../api/types/core.ts';
import type { Condition } from '../../api/types/meta.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Resource } from '../../base/lifetime.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import type { ReconcileResult } from './controller.ts';
import type { ControllerContext } from './controller-context.ts';
import { podFromTemplate } from './pod-factory.ts';
import { byDeletionOrder, isPodActive, isPodReady } from './pod-facts.ts';
import { Workload, type WorkloadFlavor } from './workload.ts';

/** Pods made or removed in one go (replicaset.BurstReplicas). */
const BURST = 500;

type Replicator = ReplicaSet | ReplicationController;

export function startReplicaSetController(context: ControllerContext): Resource {
  return startReplicator(context, {
    resource: 'replicasets',
    kind: 'ReplicaSet',
    component: 'replicaset-controller',
    owners: context.informers.of('replicasets'),
    selector: (set) => selectorRequirements(set.spec.selector) ?? [],
  });
}

export function startReplicationControllerController(context: ControllerContext): Resource {
  return startReplicator(context, {
    resource: 'replicationcontrollers',
    kind: 'ReplicationController',
    component: 'replication-controller',
    owners: context.informers.of('replicationcontrollers'),
    selector: ({ spec }) => selectorRequirements({ matchLabels: spec.selector ?? {} }) ?? [],
  });
}

/** Keeps as many pods as the object asks for (pkg/controller/replicaset). */
function startReplicator<T extends Replicator>(
  context: ControllerContext,
  flavor: WorkloadFlavor<T>,
): Resource {
  const { clock } = context;
  const workload = new Workload(context, flavor);
  const { factory } = workload;

  return workload.start(reconcile);

  async function reconcile(owner: T): Promise<ReconcileResult | undefined> {
    const claimed = await workload.claim(owner);
    const active = claimed.filter(isPodActive);
    const failure =
      owner.metadata.deletionTimestamp === undefined ? await scale(owner, active) : undefined;
    const status = statusOf(owner, claimed, failure);
    await workload.writeStatus(owner, status);
    if (failure !== undefined) throw failure.error;
    return workload.nextAvailability(owner, active);
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
    owner: T,
    claimed: readonly Pod[],
    failure: Failure | undefined,
  ): NonNullable<ReplicaSet['status']> {
    const active = claimed.filter(isPodActive);
    const labels = selectorRequirements({
      matchLabels: owner.spec.template?.metadata?.labels ?? {},
    });
    const conditions = failureConditions(owner, failure, clock.wallNow());
    return compact({
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => matchesLabels(labels ?? [], pod.metadata.labels))
        .length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: active.filter((pod) => workload.isAvailable(owner, pod)).length,
      observedGeneration: owner.metadata.generation ?? 0,
      conditions,
    });
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
