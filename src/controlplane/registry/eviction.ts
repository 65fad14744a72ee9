import { matchesSelector } from '../../api/label-selector.ts';
import { apiError } from '../../api/status-errors.ts';
import type { Pod } from '../../api/types/core.ts';
import type { PodDisruptionBudget } from '../../api/types/other.ts';
import type { ApiRegistry } from './api-registry.ts';

/** A budget that the controller has not looked at yet will be known soon; a spent one kubectl comes back to by itself. */
const RETRY_AFTER_SECONDS = 10;

/**
 * Deletes a pod unless its PodDisruptionBudget allows no more disruption now (429), which then is one lower
 * (registry/core/pod/storage/eviction.go). Pods that serve nobody need no budget.
 */
export async function evictPod(
  registry: ApiRegistry,
  ref: { readonly name: string; readonly namespace: string },
  options: { readonly gracePeriodSeconds: number | undefined; readonly dryRun: boolean },
): Promise<void> {
  const pod = registry.resource('pods').get(ref.name, ref.namespace) as Pod;
  if (needsBudget(pod)) {
    const budgets = budgetsOf(registry, pod);
    if (budgets.length > 1)
      throw apiError(
        500,
        'InternalError',
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
    const [budget] = budgets;
    if (budget !== undefined) await spend(registry, budget, options.dryRun);
  }
  await registry.resource('pods').delete(ref.name, ref.namespace, {
    gracePeriodSeconds: options.gracePeriodSeconds,
    preconditions: { uid: pod.metadata.uid },
    dryRun: options.dryRun,
  });
}

function needsBudget(pod: Pod): boolean {
  const { phase } = pod.status ?? {};
  return (
    phase !== 'Succeeded' &&
    phase !== 'Failed' &&
    phase !== 'Pending' &&
    pod.metadata.deletionTimestamp === undefined
  );
}

function budgetsOf(registry: ApiRegistry, pod: Pod): PodDisruptionBudget[] {
  const budgets = registry
    .resource('poddisruptionbudgets')
    .list({ namespace: pod.metadata.namespace }) as readonly PodDisruptionBudget[];
  return budgets.filter((budget) => matchesSelector(budget.spec?.selector, pod.metadata.labels));
}

async function spend(
  registry: ApiRegistry,
  budget: PodDisruptionBudget,
  dryRun: boolean,
): Promise<void> {
  const { name = '', namespace } = budget.metadata;
  await registry.resource('poddisruptionbudgets').update(
    name,
    namespace,
    (current) => {
      const live = current as PodDisruptionBudget;
      const { status } = live;
      if (
        status === undefined ||
        (status.observedGeneration ?? 0) < (live.metadata.generation ?? 0)
      )
        throw tooMany(
          name,
          `The disruption budget ${name} is still being processed by the server.`,
          RETRY_AFTER_SECONDS,
        );
      if (status.disruptionsAllowed <= 0)
        throw tooMany(
          name,
          `The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`,
        );
      return { ...live, status: { ...status, disruptionsAllowed: status.disruptionsAllowed - 1 } };
    },
    { subresource: 'status', dryRun },
  );
}

function tooMany(name: string, message: string, retryAfterSeconds?: number): Error {
  return apiError(
    429,
    'TooManyRequests',
    "Cannot evict pod as it would violate the pod's disruption budget.",
    {
      details: {
        name,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
        causes: [{ reason: 'DisruptionBudget', message }],
      },
    },
  );
}
