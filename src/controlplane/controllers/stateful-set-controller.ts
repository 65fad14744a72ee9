import { selectorRequirements } from '../../api/label-selector.ts';
import type { ControllerRevision, StatefulSet } from '../../api/types/apps.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { ReconcileResult } from './controller.ts';
import type { ControllerContext } from './controller-context.ts';
import {
  ensureRevision,
  REVISION_HASH_LABEL,
  revisionHash,
  revisionsOf,
  revisionTemplate,
  trimRevisions,
} from './controller-revisions.ts';
import { scaledValue } from './int-or-percent.ts';
import { podFromTemplate } from './pod-factory.ts';
import { isPodFinished, isPodReady } from './pod-facts.ts';
import { Workload } from './workload.ts';

const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** The set's two templates and what each is called. */
interface Revisions {
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly history: readonly ControllerRevision[];
}

/** Pods with names that stay, one after the other (pkg/controller/statefulset). */
export function startStatefulSetController(context: ControllerContext): Resource {
  const { informers } = context;
  const revisionObjects = informers.of('controllerrevisions');
  const workload = new Workload<StatefulSet>(context, {
    resource: 'statefulsets',
    kind: 'StatefulSet',
    component: 'statefulset-controller',
    owners: informers.of('statefulsets'),
    selector: (set) => selectorRequirements(set.spec.selector) ?? [],
  });
  const { tools, factory } = workload;

  return workload.start(reconcile);

  async function reconcile(set: StatefulSet): Promise<ReconcileResult | undefined> {
    const claimed = await workload.claim(set, (pod) => ordinalOf(set, pod) !== undefined);
    const revisions = await revisionsFor(set);
    if (set.metadata.deletionTimestamp === undefined) await advance(set, claimed, revisions);
    await writeStatus(set, claimed, revisions);
    const inUse = new Set([
      revisionHash(revisions.current),
      revisionHash(revisions.update),
      ...claimed.map(revisionHash),
    ]);
    await trimRevisions(set, revisions.history, inUse, tools.client);
    return workload.nextAvailability(set, claimed);
  }

  async function revisionsFor(set: StatefulSet): Promise<Revisions> {
    const history = revisionsOf(set, revisionObjects.list());
    const update = await ensureRevision(set, history, tools.client);
    const current =
      history.find((revision) => revision.metadata.name === set.status?.currentRevision) ?? update;
    return { current, update, history };
  }

  /**
   * The next steps. Ordered: one at a time, lowest ordinal first on the way up, highest first on the way
   * down, and nothing while a pod is on its way. Parallel: all at once.
   */
  async function advance(
    set: StatefulSet,
    claimed: readonly Pod[],
    revisions: Revisions,
  ): Promise<void> {
    const ordered = set.spec.podManagementPolicy !== 'Parallel';
    const start = set.spec.ordinals?.start ?? 0;
    const end = start + (set.spec.replicas ?? 0);
    const byOrdinal = new Map(claimed.map((pod) => [ordinalOf(set, pod) ?? -1, pod]));
    for (let ordinal = start; ordinal < end; ordinal += 1) {
      const pod = byOrdinal.get(ordinal);
      if (pod !== undefined && isPodFinished(pod) && !isTerminating(pod)) {
        await factory.delete(set, pod);
        if (ordered) return;
        continue;
      }
      if (pod === undefined) await factory.create(set, podOf(set, ordinal, revisions));
      if (ordered && (pod === undefined || !isSettled(set, pod))) return;
    }
    const condemned = claimed
      .filter((pod) => isOutside(ordinalOf(set, pod), start, end))
      .toSorted((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
    const firstUnhealthy = condemned.findLast((pod) => !isSettled(set, pod));
    for (const pod of condemned) {
      // In order, an unhealthy pod is waited for, unless it is the lowest of them.
      const isWaitedFor = !isSettled(set, pod) && pod !== firstUnhealthy;
      if (!isTerminating(pod) && !(ordered && isWaitedFor)) await factory.delete(set, pod);
      if (ordered) return;
    }
    await roll(set, byOrdinal, start, end, revisions);
  }

  function isSettled(set: StatefulSet, pod: Pod): boolean {
    return !isTerminating(pod) && workload.isAvailable(set, pod);
  }

  /** From the highest ordinal down to the partition, as many at a time as may be unavailable. */
  async function roll(
    set: StatefulSet,
    byOrdinal: ReadonlyMap<number, Pod>,
    start: number,
    end: number,
    revisions: Revisions,
  ): Promise<void> {
    if (set.spec.updateStrategy?.type === 'OnDelete') return;
    const updateHash = revisionHash(revisions.update);
    let room = maxUnavailable(set);
    for (let ordinal = end - 1; ordinal >= start + partitionOf(set); ordinal -= 1) {
      const pod = byOrdinal.get(ordinal);
      const isOld = pod !== undefined && revisionHash(pod) !== updateHash && !isTerminating(pod);
      if (isOld) await factory.delete(set, pod);
      if (isOld || pod === undefined || !isSettled(set, pod)) room -= 1;
      if (room <= 0) return;
    }
  }

  async function writeStatus(
    set: StatefulSet,
    claimed: readonly Pod[],
    revisions: Revisions,
  ): Promise<void> {
    const { replicas = 0 } = set.spec;
    const updateHash = revisionHash(revisions.update);
    const live = claimed.filter((pod) => !isTerminating(pod));
    const updated = live.filter((pod) => revisionHash(pod) === updateHash).length;
    // A pod that is going counts as long as it is ready.
    const ready = claimed.filter((pod) => isPodReady(pod) && !isPodFinished(pod));
    // A rolling update is through when every pod is of it: then it is the current one.
    const done =
      set.spec.updateStrategy?.type !== 'OnDelete' &&
      updated === replicas &&
      ready.length === replicas &&
      claimed.length === replicas;
    const current = done ? revisions.update : revisions.current;
    const currentHash = revisionHash(current);
    const count = (name: string, value: number): object => (value === 0 ? {} : { [name]: value });
    const status: NonNullable<StatefulSet['status']> = {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: claimed.length,
      ...count('readyReplicas', ready.length),
      ...count('currentReplicas', live.filter((pod) => revisionHash(pod) === currentHash).length),
      ...count('updatedReplicas', updated),
      availableReplicas: ready.filter((pod) => workload.isAvailable(set, pod)).length,
      currentRevision: current.metadata.name ?? '',
      updateRevision: revisions.update.metadata.name ?? '',
      collisionCount: set.status?.collisionCount ?? 0,
    };
    await workload.writeStatus(set, status);
  }
}

/** Below the partition, and before any update, a pod is of the current template. */
function podOf(set: StatefulSet, ordinal: number, revisions: Revisions): Pod {
  const kept = (set.spec.ordinals?.start ?? 0) + partitionOf(set);
  const revision = ordinal < kept ? revisions.current : revisions.update;
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate(set, revisionTemplate(revision), name);
  pod.metadata.labels = {
    ...pod.metadata.labels,
    [POD_NAME_LABEL]: name,
    [POD_INDEX_LABEL]: String(ordinal),
    [REVISION_HASH_LABEL]: revisionHash(revision),
  };
  pod.spec.hostname = name;
  if (set.spec.serviceName !== undefined) pod.spec.subdomain = set.spec.serviceName;
  return pod;
}

/** How many of the lowest pods an update leaves alone. */
function partitionOf(set: StatefulSet): number {
  return set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
}

/** At least one, or no update would ever begin. */
function maxUnavailable(set: StatefulSet): number {
  const value = set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  return Math.max(1, scaledValue(value, set.spec.replicas ?? 0, 'down'));
}

function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const { name = '' } = pod.metadata;
  const prefix = `${set.metadata.name}-`;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(?:0|[1-9]\d*)$/.test(rest) ? Number(rest) : undefined;
}

function isOutside(ordinal: number | undefined, start: number, end: number): boolean {
  return ordinal !== undefined && (ordinal < start || ordinal >= end);
}

function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}
