import { equalJson } from '../../api/json.ts';
import { selectorRequirements } from '../../api/label-selector.ts';
import type { DaemonSet } from '../../api/types/apps.ts';
import type { Node, Pod, Toleration } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import { matchesNodeSelection, untoleratedTaint } from '../scheduler/predicates.ts';
import type { ReconcileResult } from './controller.ts';
import type { ControllerContext } from './controller-context.ts';
import {
  ensureRevision,
  REVISION_HASH_LABEL,
  revisionHash,
  revisionsOf,
  trimRevisions,
} from './controller-revisions.ts';
import { scaledValue } from './int-or-percent.ts';
import { podFromTemplate } from './pod-factory.ts';
import { isPodActive, isPodFinished, isPodReady } from './pod-facts.ts';
import { Workload } from './workload.ts';

/** Daemons run where others may not (daemon/util AddOrUpdateDaemonPodTolerations). */
const DAEMON_TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];

const NO_NETWORK: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** What a DaemonSet wants of one node. */
interface NodePlan {
  readonly node: Node;
  /** A pod should be made here. */
  readonly shouldRun: boolean;
  /** A pod that is here may stay. */
  readonly mayStay: boolean;
  readonly pods: readonly Pod[];
}

/** One pod on every node that suits (pkg/controller/daemon). */
export function startDaemonSetController(context: ControllerContext): Resource {
  const { informers } = context;
  const sets = informers.of('daemonsets');
  const nodes = informers.of('nodes');
  const revisions = informers.of('controllerrevisions');
  const workload = new Workload<DaemonSet>(context, {
    resource: 'daemonsets',
    kind: 'DaemonSet',
    component: 'daemonset-controller',
    owners: sets,
    selector: (set) => selectorRequirements(set.spec.selector) ?? [],
  });
  const { tools, factory } = workload;

  return workload.start(reconcile, (enqueue) => [
    nodes.subscribe((current, previous) => {
      const same =
        equalJson(current?.metadata.labels, previous?.metadata.labels) &&
        equalJson(current?.spec, previous?.spec);
      if (!same) for (const set of sets.list()) enqueue(set);
    }),
  ]);

  async function reconcile(set: DaemonSet): Promise<ReconcileResult | undefined> {
    if (set.metadata.deletionTimestamp !== undefined) return undefined;
    const owned = await workload.claim(set);
    const history = revisionsOf(set, revisions.list());
    const revision = await ensureRevision(set, history, tools.client);
    const hash = revisionHash(revision);
    const plans = nodes.list().map((node) => planNode(set, node, owned));
    await manage(set, plans, owned, hash);
    if (set.spec.updateStrategy?.type !== 'OnDelete') await roll(set, plans, hash);
    const inUse = new Set([hash, ...owned.map(revisionHash)]);
    await trimRevisions(set, history, inUse, tools.client);
    await writeStatus(set, plans, hash);
    return workload.nextAvailability(set, owned.filter(isPodActive));
  }

  /** Makes what is missing, removes what is too much or failed. */
  async function manage(
    set: DaemonSet,
    plans: readonly NodePlan[],
    owned: readonly Pod[],
    hash: string,
  ): Promise<void> {
    const surge = scaledValue(set.spec.updateStrategy?.rollingUpdate?.maxSurge, plans.length, 'up');
    for (const { node, shouldRun, mayStay, pods: here } of plans) {
      for (const pod of here.filter(isPodFinished)) await factory.delete(set, pod);
      const active = here.filter(isPodActive);
      const terminating = here.some((pod) => !isPodActive(pod) && !isPodFinished(pod));
      if (shouldRun && active.length === 0 && (!terminating || surge > 0))
        await factory.create(set, daemonPod(set, node, hash));
      const kept = mayStay ? active.toSorted(byAge).slice(0, surge > 0 ? 2 : 1) : [];
      for (const pod of active.filter((each) => !kept.includes(each)))
        await factory.delete(set, pod);
    }
    const known = new Set(plans.map(({ node }) => node.metadata.name));
    for (const pod of owned)
      if (isPodActive(pod) && !known.has(targetNode(pod))) await factory.delete(set, pod);
  }

  /** Replaces pods of old templates, so many at a time that not too many nodes go without. */
  async function roll(set: DaemonSet, plans: readonly NodePlan[], hash: string): Promise<void> {
    const desired = plans.filter(({ shouldRun }) => shouldRun);
    const rolling = set.spec.updateStrategy?.rollingUpdate;
    const maxUnavailable = scaledValue(rolling?.maxUnavailable ?? 1, desired.length, 'up');
    const maxSurge = scaledValue(rolling?.maxSurge, desired.length, 'up');
    if (maxSurge > 0) {
      await rollBySurge(set, desired, hash, maxSurge);
      return;
    }
    let room = maxUnavailable;
    const candidates: Pod[] = [];
    for (const plan of desired) {
      const { old, fresh } = generations(plan, hash);
      // An old pod that does not work is replaced whatever else is away.
      if (old !== undefined && fresh === undefined && !isUp(set, old))
        await factory.delete(set, old);
      else if (old !== undefined && fresh === undefined) candidates.push(old);
      else if (old !== undefined || fresh === undefined || !isUp(set, fresh)) room -= 1;
    }
    for (const pod of candidates.slice(0, Math.max(0, room))) await factory.delete(set, pod);
  }

  /** The new pod comes beside the old one, which goes once the new one is available. */
  async function rollBySurge(
    set: DaemonSet,
    desired: readonly NodePlan[],
    hash: string,
    maxSurge: number,
  ): Promise<void> {
    let room = maxSurge;
    const candidates: Node[] = [];
    for (const plan of desired) {
      const { old, fresh } = generations(plan, hash);
      if (old === undefined) continue;
      if (fresh === undefined && !isUp(set, old))
        await factory.create(set, daemonPod(set, plan.node, hash));
      else if (fresh === undefined) candidates.push(plan.node);
      else if (isUp(set, fresh)) await factory.delete(set, old);
      else room -= 1;
    }
    for (const node of candidates.slice(0, Math.max(0, room)))
      await factory.create(set, daemonPod(set, node, hash));
  }

  function isUp(set: DaemonSet, pod: Pod): boolean {
    return isPodActive(pod) && workload.isAvailable(set, pod);
  }

  async function writeStatus(
    set: DaemonSet,
    plans: readonly NodePlan[],
    hash: string,
  ): Promise<void> {
    const desired = plans.filter(({ shouldRun }) => shouldRun);
    const first = ({ pods: here }: NodePlan): Pod | undefined =>
      here.filter(isPodActive).toSorted(byAge)[0];
    const running = desired.filter((plan) => first(plan) !== undefined);
    const available = running.filter(({ pods: here }) => here.some((pod) => isUp(set, pod))).length;
    const unavailable = desired.length - available;
    const status: NonNullable<DaemonSet['status']> = {
      currentNumberScheduled: running.length,
      numberMisscheduled: plans.filter((plan) => !plan.shouldRun && first(plan) !== undefined)
        .length,
      desiredNumberScheduled: desired.length,
      numberReady: running.filter(({ pods: here }) => here.some(isPodReady)).length,
      observedGeneration: set.metadata.generation ?? 0,
      updatedNumberScheduled: running.filter(({ pods: here }) =>
        here.some((pod) => isPodActive(pod) && revisionHash(pod) === hash),
      ).length,
      ...(available === 0 ? {} : { numberAvailable: available }),
      ...(unavailable === 0 ? {} : { numberUnavailable: unavailable }),
    };
    await workload.writeStatus(set, status);
  }
}

/** Which pods a node has, and whether it should have one (NodeShouldRunDaemonPod). */
function planNode(set: DaemonSet, node: Node, owned: readonly Pod[]): NodePlan {
  const { spec } = set.spec.template;
  const tolerations = [...(spec.tolerations ?? []), ...DAEMON_TOLERATIONS];
  const suits =
    matchesNodeSelection({ spec }, node) &&
    ((spec.nodeName ?? '') === '' || spec.nodeName === node.metadata.name);
  const taints = node.spec.taints ?? [];
  return {
    node,
    shouldRun:
      suits && untoleratedTaint(tolerations, taints, ['NoSchedule', 'NoExecute']) === undefined,
    mayStay: suits && untoleratedTaint(tolerations, taints, ['NoExecute']) === undefined,
    pods: owned.filter((pod) => targetNode(pod) === node.metadata.name),
  };
}

/** The scheduler binds it, but only to this node. */
function daemonPod(set: DaemonSet, node: Node, hash: string): Pod {
  const pod = podFromTemplate(set, set.spec.template);
  pod.metadata.labels = { ...pod.metadata.labels, [REVISION_HASH_LABEL]: hash };
  const needed =
    pod.spec.hostNetwork === true ? [...DAEMON_TOLERATIONS, NO_NETWORK] : DAEMON_TOLERATIONS;
  const own = pod.spec.tolerations ?? [];
  pod.spec.tolerations = [
    ...own,
    ...needed.filter((toleration) => !own.some((other) => equalJson(other, toleration))),
  ];
  const affinity = (pod.spec.affinity ??= {});
  affinity.nodeAffinity = {
    ...affinity.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        {
          matchFields: [
            { key: 'metadata.name', operator: 'In', values: [node.metadata.name ?? ''] },
          ],
        },
      ],
    },
  };
  return pod;
}

/** A node's pods of older templates and of this one (findUpdatedPodsOnNode). */
function generations(
  { pods }: NodePlan,
  hash: string,
): { readonly old: Pod | undefined; readonly fresh: Pod | undefined } {
  const active = pods.filter(isPodActive);
  return {
    old: active.find((pod) => revisionHash(pod) !== hash),
    fresh: active.find((pod) => revisionHash(pod) === hash),
  };
}

/** Where a daemon pod is or will be. */
function targetNode(pod: Pod): string | undefined {
  if ((pod.spec.nodeName ?? '') !== '') return pod.spec.nodeName;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
      ?.nodeSelectorTerms;
  return terms?.[0]?.matchFields?.[0]?.values?.[0];
}

function byAge(a: Pod, b: Pod): number {
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1;
}
