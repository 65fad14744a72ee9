import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import { scaledValue } from './int-or-percent.ts';

/** The most replicas a set's Deployment could have when the set was last sized. */
export const MAX_ANNOTATION = 'deployment.kubernetes.io/max-replicas';

/** How many pods more and fewer than asked for a rollout may have (ResolveFenceposts). */
export interface RolloutBounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** A ReplicaSet that should have this many replicas. */
export interface ScaleStep {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

export function replicasOf(set: ReplicaSet | undefined): number {
  return set?.spec.replicas ?? 0;
}

export function availableOf(set: ReplicaSet): number {
  return set.status?.availableReplicas ?? 0;
}

export function totalReplicas(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + replicasOf(set), 0);
}

export function rolloutBounds(deployment: Deployment): RolloutBounds {
  const { strategy, replicas = 0 } = deployment.spec;
  if (strategy?.type !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 };
  const maxSurge = scaledValue(strategy.rollingUpdate?.maxSurge, replicas, 'up');
  const maxUnavailable = scaledValue(strategy.rollingUpdate?.maxUnavailable, replicas, 'down');
  // Percentages of few replicas can both round to nothing; then one pod may be away.
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: 1 };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) };
}

/** The new set's next size: as large as maxSurge allows now (NewRSNewReplicas). */
export function newSetReplicas(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
): number {
  const { replicas = 0, strategy } = deployment.spec;
  if (strategy?.type !== 'RollingUpdate') return replicas;
  const current = replicasOf(newSet);
  if (current >= replicas) return replicas;
  const room = replicas + rolloutBounds(deployment).maxSurge - totalReplicas(all);
  return room <= 0 ? current : current + Math.min(room, replicas - current);
}

/**
 * Which old sets shrink, and to what, so that enough pods stay available: first pods that are not available
 * anyway, then as many others as maxUnavailable allows (reconcileOldReplicaSets). Oldest sets first.
 */
export function shrinkOldSets(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): ScaleStep[] {
  const all = [...oldSets, newSet];
  if (totalReplicas(oldSets) === 0) return [];
  const { replicas = 0 } = deployment.spec;
  const minAvailable = replicas - rolloutBounds(deployment).maxUnavailable;
  const newUnavailable = replicasOf(newSet) - availableOf(newSet);
  const maxShrink = totalReplicas(all) - minAvailable - newUnavailable;
  if (maxShrink <= 0) return [];
  const sizes = new Map(oldSets.map((set) => [set, replicasOf(set)]));
  const ordered = byCreation(oldSets);
  let shrunk = 0;
  for (const set of ordered) {
    const size = replicasOf(set);
    const unhealthy = Math.max(0, Math.min(maxShrink - shrunk, size - availableOf(set)));
    sizes.set(set, size - unhealthy);
    shrunk += unhealthy;
  }
  const available = all.reduce((sum, set) => sum + availableOf(set), 0);
  let healthy = Math.max(0, available - minAvailable);
  for (const set of ordered) {
    const size = sizes.get(set) ?? 0;
    const step = Math.min(size, healthy);
    sizes.set(set, size - step);
    healthy -= step;
  }
  return steps(sizes);
}

/**
 * The deployment's size changed in the middle of a rollout: every set with pods gets its share of the change,
 * largest first, the remainder to the largest (scale in deployment/sync.go).
 */
export function scaleProportionally(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): ScaleStep[] {
  const active = sets.filter((set) => replicasOf(set) > 0);
  const change = allowedReplicas(deployment) - totalReplicas(active);
  if (change === 0) return [];
  const ordered = active.toSorted(
    (a, b) => replicasOf(b) - replicasOf(a) || age(b, a) * Math.sign(change),
  );
  const sizes = new Map<ReplicaSet, number>();
  let left = change;
  for (const set of ordered) {
    const share = left === 0 ? 0 : shareOfChange(deployment, set);
    const step = change > 0 ? Math.min(share, left) : Math.max(share, left);
    sizes.set(set, replicasOf(set) + step);
    left -= step;
  }
  const [largest] = ordered;
  if (largest !== undefined) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + left));
  return steps(sizes);
}

function allowedReplicas(deployment: Deployment): number {
  const { replicas = 0 } = deployment.spec;
  return replicas > 0 ? replicas + rolloutBounds(deployment).maxSurge : 0;
}

/** In proportion to what the set had of the size before the change (getReplicaSetFraction). */
function shareOfChange(deployment: Deployment, set: ReplicaSet): number {
  const size = replicasOf(set);
  if ((deployment.spec.replicas ?? 0) === 0) return -size;
  const noted = Number(set.metadata.annotations?.[MAX_ANNOTATION] ?? 0);
  const before = noted > 0 ? noted : (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((size * allowedReplicas(deployment)) / before) - size;
}

function steps(sizes: ReadonlyMap<ReplicaSet, number>): ScaleStep[] {
  return [...sizes]
    .filter(([set, replicas]) => replicas !== replicasOf(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

export function byCreation(sets: readonly ReplicaSet[]): ReplicaSet[] {
  return sets.toSorted(age);
}

/** Older first. */
function age(a: ReplicaSet, b: ReplicaSet): number {
  const [at, bt] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (at !== bt) return at < bt ? -1 : 1;
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}
