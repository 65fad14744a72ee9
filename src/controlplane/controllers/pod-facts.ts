import type { Pod, PodCondition } from '../../api/types/core.ts';
import type { KubeObject, OwnerReference } from '../../api/types/meta.ts';

/** The owner that manages the object, if any. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Not finished and not being deleted: it counts towards replicas. */
export function isPodActive(pod: Pod): boolean {
  return !isPodFinished(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** How long until a ready pod counts as available; 0 when it does, undefined when it is not ready. */
export function availableInMs(
  pod: Pod,
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  const ready = podCondition(pod, 'Ready');
  if (ready?.status !== 'True') return undefined;
  if (minReadySeconds === 0) return 0;
  if (ready.lastTransitionTime === undefined) return undefined;
  const at = Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000;
  return Math.max(0, at - nowMs);
}

/**
 * Which pods go first when there are too many: unassigned, pending, unready, doubled up on a node, recently
 * ready, often restarted, young (controller.ActivePodsWithRanks). `rank` counts the controller's pods on
 * the pod's node.
 */
export function byDeletionOrder(rank: (pod: Pod) => number): (a: Pod, b: Pod) => number {
  return (a, b) =>
    Number(isAssigned(a)) - Number(isAssigned(b)) ||
    phaseOrder(a) - phaseOrder(b) ||
    Number(isPodReady(a)) - Number(isPodReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    rank(b) - rank(a) ||
    later(readySince(a), readySince(b)) ||
    maxRestarts(b) - maxRestarts(a) ||
    later(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
    ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? 1 : -1);
}

function isAssigned(pod: Pod): boolean {
  return (pod.spec.nodeName ?? '') !== '';
}

function phaseOrder(pod: Pod): number {
  if (pod.status?.phase === 'Running') return 2;
  return pod.status?.phase === 'Unknown' ? 1 : 0;
}

function deletionCost(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost']);
  return Number.isFinite(cost) ? cost : 0;
}

function readySince(pod: Pod): string | undefined {
  return isPodReady(pod) ? podCondition(pod, 'Ready')?.lastTransitionTime : undefined;
}

/** The later one first. */
function later(a: string | null | undefined, b: string | null | undefined): number {
  if (a === b || a === undefined || b === undefined || a === null || b === null) return 0;
  return a > b ? -1 : 1;
}

function maxRestarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
}
