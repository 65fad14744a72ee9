import { equalJson } from '../../api/json.ts';
import type { Deployment, DeploymentCondition, ReplicaSet } from '../../api/types/apps.ts';
import { availableOf, rolloutBounds, totalReplicas } from './deployment-scaling.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

type Status = NonNullable<Deployment['status']>;

/** A deadline this long means there is none. */
const NO_DEADLINE = 2_147_483_647;

interface Counts {
  readonly replicas: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
}

/** The set of the current template. */
export interface NewSet {
  readonly set: ReplicaSet;
  /** Made just now. */
  readonly isCreated: boolean;
}

/** What the deployment controller says about a rollout (deployment/progress.go, sync.go). Pure. */
export function deploymentStatus(
  deployment: Deployment,
  newSet: NewSet | undefined,
  all: readonly ReplicaSet[],
  nowMs: number,
): Status {
  const counts: Counts = {
    replicas: sum(all, (set) => set.status?.replicas ?? 0),
    updated: newSet?.set.status?.replicas ?? 0,
    ready: sum(all, (set) => set.status?.readyReplicas ?? 0),
    available: sum(all, availableOf),
  };
  const unavailable = Math.max(0, totalReplicas(all) - counts.available);
  const conditions = new Conditions(deployment, nowMs);
  setAvailable(conditions, deployment, counts);
  setProgressing(conditions, deployment, newSet, counts, nowMs);
  setFailure(conditions, newSet?.set, all);
  return omitZeros({
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: counts.replicas,
    updatedReplicas: counts.updated,
    readyReplicas: counts.ready,
    availableReplicas: counts.available,
    unavailableReplicas: unavailable,
    ...(deployment.status?.collisionCount === undefined
      ? {}
      : { collisionCount: deployment.status.collisionCount }),
    conditions: conditions.list,
  });
}

/** All pods are of the current template, available, and none is left over. */
export function isComplete(deployment: Deployment, status: Status): boolean {
  const { replicas = 0 } = deployment.spec;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** When the progress deadline falls due, if the rollout is under way. */
export function deadlineInMs(
  deployment: Deployment,
  status: Status,
  nowMs: number,
): number | undefined {
  const seconds = deployment.spec.progressDeadlineSeconds ?? NO_DEADLINE;
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (
    seconds === NO_DEADLINE ||
    deployment.spec.paused === true ||
    progressing?.lastUpdateTime === undefined ||
    progressing.reason === 'NewReplicaSetAvailable' ||
    progressing.reason === 'ProgressDeadlineExceeded'
  )
    return undefined;
  return Math.max(0, Date.parse(progressing.lastUpdateTime) + seconds * 1000 - nowMs) + 1;
}

function setAvailable(conditions: Conditions, deployment: Deployment, counts: Counts): void {
  const { replicas = 0 } = deployment.spec;
  const enough = counts.available >= replicas - rolloutBounds(deployment).maxUnavailable;
  conditions.set(
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
  );
}

function setProgressing(
  conditions: Conditions,
  deployment: Deployment,
  newSet: NewSet | undefined,
  counts: Counts,
  nowMs: number,
): void {
  const deadline = deployment.spec.progressDeadlineSeconds ?? NO_DEADLINE;
  if (deadline === NO_DEADLINE) {
    conditions.remove('Progressing');
    return;
  }
  if (notePause(conditions, deployment)) return;
  noteNewSet(conditions, newSet);
  const before = conditions.get('Progressing');
  // What came to its end is not estimated any more: a change of the size is no rollout.
  if (before?.reason === 'NewReplicaSetAvailable' && counts.replicas === counts.updated) return;
  const name =
    newSet === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${newSet.set.metadata.name}"`;
  const { replicas = 0 } = deployment.spec;
  if (counts.updated === replicas && counts.replicas === replicas && counts.available === replicas)
    conditions.set({
      type: 'Progressing',
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `${name} has successfully progressed.`,
    });
  else if (hasProgressed(deployment, counts))
    conditions.update({
      type: 'Progressing',
      status: 'True',
      reason: 'ReplicaSetUpdated',
      message: `${name} is progressing.`,
    });
  else if (before !== undefined && hasTimedOut(before, deadline, nowMs))
    conditions.set({
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: `${name} has timed out progressing.`,
    });
}

/** Whether a pause, or its end, is all there is to say (checkPausedConditions). */
function notePause(conditions: Conditions, { spec }: Deployment): boolean {
  const before = conditions.get('Progressing');
  if (spec.paused === true) {
    // That a rollout was stuck stays known.
    if (before?.reason !== 'ProgressDeadlineExceeded')
      conditions.set({
        type: 'Progressing',
        status: 'Unknown',
        reason: 'DeploymentPaused',
        message: 'Deployment is paused',
      });
    return true;
  }
  if (before?.reason !== 'DeploymentPaused') return false;
  conditions.set({
    type: 'Progressing',
    status: 'Unknown',
    reason: 'DeploymentResumed',
    message: 'Deployment is resumed',
  });
  return true;
}

/** A rollout begins, or nobody had asked for its progress so far (getNewReplicaSet). */
function noteNewSet(conditions: Conditions, newSet: NewSet | undefined): void {
  if (newSet === undefined) return;
  const name = newSet.set.metadata.name ?? '';
  if (newSet.isCreated)
    conditions.set({
      type: 'Progressing',
      status: 'True',
      reason: 'NewReplicaSetCreated',
      message: `Created new replica set "${name}"`,
    });
  else if (conditions.get('Progressing') === undefined)
    conditions.set({
      type: 'Progressing',
      status: 'True',
      reason: 'FoundNewReplicaSet',
      message: `Found new replica set "${name}"`,
    });
}

function hasProgressed({ status = {} }: Deployment, counts: Counts): boolean {
  const old = counts.replicas - counts.updated;
  const oldBefore = (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    counts.updated > (status.updatedReplicas ?? 0) ||
    old < oldBefore ||
    counts.ready > (status.readyReplicas ?? 0) ||
    counts.available > (status.availableReplicas ?? 0)
  );
}

function hasTimedOut(before: DeploymentCondition, seconds: number, nowMs: number): boolean {
  if (before.reason === 'ProgressDeadlineExceeded') return true;
  if (before.reason === 'NewReplicaSetAvailable' || before.lastUpdateTime === undefined)
    return false;
  return Date.parse(before.lastUpdateTime) + seconds * 1000 <= nowMs;
}

function setFailure(
  conditions: Conditions,
  newSet: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
): void {
  const candidates = newSet === undefined ? all : [newSet, ...all];
  const failure = candidates
    .flatMap((set) => set.status?.conditions ?? [])
    .find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  if (failure === undefined) conditions.remove('ReplicaFailure');
  else
    conditions.set({
      type: 'ReplicaFailure',
      status: 'True',
      reason: failure.reason ?? '',
      message: failure.message ?? '',
    });
}

type NewCondition = Pick<DeploymentCondition, 'type' | 'status'> & {
  readonly reason: string;
  readonly message: string;
};

/** A deployment's conditions with the rules for their two times. */
class Conditions {
  readonly #now: string;
  #list: DeploymentCondition[];

  constructor(deployment: Deployment, nowMs: number) {
    this.#now = formatTimestamp(nowMs);
    this.#list = [...(deployment.status?.conditions ?? [])];
  }

  get list(): DeploymentCondition[] {
    return this.#list;
  }

  get(type: string): DeploymentCondition | undefined {
    return this.#list.find((condition) => condition.type === type);
  }

  /** Nothing happens when status and reason stay the same. */
  set(condition: NewCondition): void {
    const before = this.get(condition.type);
    if (before?.status === condition.status && before.reason === condition.reason) return;
    this.#replace(condition, before);
  }

  /** As {@link set}, but notes the time also when nothing else changes. */
  update(condition: NewCondition): void {
    this.#replace(condition, this.get(condition.type));
  }

  remove(type: string): void {
    this.#list = this.#list.filter((condition) => condition.type !== type);
  }

  #replace(condition: NewCondition, before: DeploymentCondition | undefined): void {
    const next: DeploymentCondition = {
      ...condition,
      lastUpdateTime: this.#now,
      lastTransitionTime:
        before?.status === condition.status ? (before.lastTransitionTime ?? this.#now) : this.#now,
    };
    this.#list =
      before === undefined
        ? [...this.#list, next]
        : this.#list.map((other) => (other === before ? next : other));
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

/** As Go's omitempty writes it. */
function omitZeros(status: Status): Status {
  const entries = Object.entries(status).filter(([, value]) => value !== 0);
  const result: Status = Object.fromEntries(entries);
  if (equalJson(result.conditions, [])) delete result.conditions;
  return result;
}
