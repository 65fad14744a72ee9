import { defineKind, type KindDefinition } from '../kind.ts';
import { validateLabelSelector } from '../label-selector.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { IntOrString } from '../types/meta.ts';
import type { PodDisruptionBudget } from '../types/other.ts';
import { validateIntOrPercent } from './workload.ts';

const POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

export const podDisruptionBudgetKind: KindDefinition = defineKind<PodDisruptionBudget>({
  kind: 'PodDisruptionBudget',
  resource: 'poddisruptionbudgets',
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  namespaced: true,
  storagePrefix: 'poddisruptionbudgets',
  versions: [
    { group: 'policy', version: 'v1' },
    {
      group: 'policy',
      version: 'v1beta1',
      legacy: true,
      deprecation:
        'policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+; use policy/v1 PodDisruptionBudget',
    },
  ],
  message: 'policy.v1.PodDisruptionBudget',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  columns: [
    nameColumn,
    {
      name: 'Min Available',
      description: 'Pods that must stay.',
      cell: ({ spec }) => orNotAvailable(spec?.minAvailable),
    },
    {
      name: 'Max Unavailable',
      description: 'Pods that may be away.',
      cell: ({ spec }) => orNotAvailable(spec?.maxUnavailable),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'Evictions that are possible now.',
      cell: ({ status }) => status?.disruptionsAllowed ?? 0,
    },
    ageColumn,
  ],
  prepareForCreate(budget) {
    budget.status = {
      disruptionsAllowed: 0,
      currentHealthy: 0,
      desiredHealthy: 0,
      expectedPods: 0,
    };
  },
  validate({ spec = {} }, { errors }) {
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined)
      errors.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set');
    validateIntOrPercent(spec.minAvailable, 'spec.minAvailable', errors);
    validateIntOrPercent(spec.maxUnavailable, 'spec.maxUnavailable', errors);
    if (spec.selector !== undefined) validateLabelSelector(spec.selector, 'spec.selector', errors);
    const policy = spec.unhealthyPodEvictionPolicy;
    if (policy !== undefined && !POLICIES.includes(policy))
      errors.notSupported('spec.unhealthyPodEvictionPolicy', policy, POLICIES);
  },
});

function orNotAvailable(value: IntOrString | undefined): string {
  return value === undefined ? 'N/A' : String(value);
}
