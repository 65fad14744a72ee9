import { equalJson } from '../../api/json.ts';
import { matchesSelector } from '../../api/label-selector.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Condition } from '../../api/types/meta.ts';
import type { PodDisruptionBudget } from '../../api/types/other.ts';
import type { Resource } from '../../base/lifetime.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import { scaledValue } from './int-or-percent.ts';
import { controllerOf, isPodActive, isPodReady } from './pod-facts.ts';

type Status = NonNullable<PodDisruptionBudget['status']>;

/** Kinds whose replicas say how many pods there should be. */
const SCALED = {
  ReplicaSet: 'replicasets',
  ReplicationController: 'replicationcontrollers',
  StatefulSet: 'statefulsets',
} as const;

/** Says how many evictions each PodDisruptionBudget allows now (pkg/controller/disruption). */
export function startDisruptionController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'disruption-controller');
  const budgets = informers.of('poddisruptionbudgets');
  const pods = informers.of('pods');
  const podsByNamespace = new InformerIndex(pods, (pod) => [pod.metadata.namespace ?? '']);

  return startController({
    name: 'disruption-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      budgets.subscribe((current) => {
        if (current !== undefined) queue.add(objectKey(current));
      }),
      pods.subscribe((current, previous) => {
        for (const budget of budgets.list())
          if (selects(budget, current) || selects(budget, previous)) queue.add(objectKey(budget));
      }),
      () => podsByNamespace.close(),
    ],
    reconcile: async (key) => {
      const { namespace, name } = splitKey(key);
      const budget = budgets.get(name, namespace);
      if (budget === undefined) return undefined;
      const status = statusOf(budget);
      if (!equalJson(status, budget.status))
        await tools.client.resource('poddisruptionbudgets').updateStatus({ ...budget, status });
      return undefined;
    },
  });

  function statusOf(budget: PodDisruptionBudget): Status {
    const matching = podsByNamespace
      .get(budget.metadata.namespace ?? '')
      .filter((pod) => selects(budget, pod) && isPodActive(pod));
    const currentHealthy = matching.filter(isPodReady).length;
    const { expectedPods, desiredHealthy } = wanted(budget, matching);
    const disruptionsAllowed =
      expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
    return {
      observedGeneration: budget.metadata.generation ?? 0,
      disruptionsAllowed,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      conditions: [condition(budget, disruptionsAllowed > 0)],
    };
  }

  function wanted(
    { spec = {} }: PodDisruptionBudget,
    matching: readonly Pod[],
  ): { expectedPods: number; desiredHealthy: number } {
    if (spec.maxUnavailable !== undefined) {
      const expectedPods = expectedReplicas(matching);
      const away = scaledValue(spec.maxUnavailable, expectedPods, 'up');
      return { expectedPods, desiredHealthy: Math.max(0, expectedPods - away) };
    }
    if (typeof spec.minAvailable === 'string') {
      const expectedPods = expectedReplicas(matching);
      return { expectedPods, desiredHealthy: scaledValue(spec.minAvailable, expectedPods, 'up') };
    }
    return { expectedPods: matching.length, desiredHealthy: spec.minAvailable ?? 1 };
  }

  /** What the pods' controllers ask for; a pod without one counts for itself. */
  function expectedReplicas(matching: readonly Pod[]): number {
    const seen = new Set<string>();
    let sum = 0;
    for (const pod of matching) {
      const owner = controllerOf(pod);
      if (owner === undefined) sum += 1;
      else if (!seen.has(owner.uid)) {
        seen.add(owner.uid);
        const resource = (SCALED as Readonly<Record<string, (typeof SCALED)[keyof typeof SCALED]>>)[
          owner.kind
        ];
        const object =
          resource === undefined
            ? undefined
            : informers.of(resource).get(owner.name, pod.metadata.namespace);
        sum += object?.spec.replicas ?? 1;
      }
    }
    return sum;
  }

  function condition(budget: PodDisruptionBudget, allowed: boolean): Condition {
    const before = budget.status?.conditions?.find(({ type }) => type === 'DisruptionAllowed');
    const status = allowed ? 'True' : 'False';
    return {
      type: 'DisruptionAllowed',
      status,
      observedGeneration: budget.metadata.generation ?? 0,
      reason: allowed ? 'SufficientPods' : 'InsufficientPods',
      message: '',
      lastTransitionTime:
        before?.status === status
          ? (before.lastTransitionTime ?? formatTimestamp(clock.wallNow()))
          : formatTimestamp(clock.wallNow()),
    };
  }
}

function selects(budget: PodDisruptionBudget, pod: Pod | undefined): boolean {
  return (
    pod !== undefined &&
    pod.metadata.namespace === budget.metadata.namespace &&
    matchesSelector(budget.spec?.selector, pod.metadata.labels)
  );
}
