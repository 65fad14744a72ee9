import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { formatSelector } from '../label-selector.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { Deployment } from '../types/apps.ts';
import type { FieldErrors } from '../field-errors.ts';
import {
  containerColumns,
  defaultTemplate,
  selectorColumn,
  selectorFromTemplate,
  validateImmutableSelector,
  validateIntOrPercent,
  validateNonNegative,
  validateSelectorAndTemplate,
} from './workload.ts';

/** Old versions whose selector may change. */
const MUTABLE_SELECTOR = new Set(['extensions/v1beta1', 'apps/v1beta1']);

export const deploymentKind: KindDefinition = defineKind<Deployment>({
  kind: 'Deployment',
  resource: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'deployments',
  versions: [
    { group: 'apps', version: 'v1' },
    {
      group: 'apps',
      version: 'v1beta2',
      legacy: true,
      deprecation:
        'apps/v1beta2 Deployment is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 Deployment',
    },
    {
      group: 'apps',
      version: 'v1beta1',
      legacy: true,
      message: 'extensions.v1beta1.Deployment',
      deprecation:
        'apps/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 Deployment',
      defaults(object) {
        const deployment = object as unknown as Deployment;
        selectorFromTemplate(deployment);
        deployment.spec.revisionHistoryLimit ??= 2;
      },
    },
    {
      group: 'extensions',
      version: 'v1beta1',
      legacy: true,
      message: 'extensions.v1beta1.Deployment',
      deprecation:
        'extensions/v1beta1 Deployment is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 Deployment',
      defaults: (object) => defaultExtensions(object as unknown as Deployment),
    },
  ],
  message: 'apps.v1.Deployment',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  columns: [
    nameColumn,
    {
      name: 'Ready',
      description: 'Ready pods of those desired.',
      cell: (deployment) =>
        `${deployment.status?.readyReplicas ?? 0}/${deployment.spec.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'integer',
      description: 'Pods of the current template.',
      cell: (deployment) => deployment.status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'integer',
      description: 'Pods ready for at least minReadySeconds.',
      cell: (deployment) => deployment.status?.availableReplicas ?? 0,
    },
    ageColumn,
    ...containerColumns<Deployment>(),
    selectorColumn<Deployment>(),
  ],
  defaults(deployment) {
    const { spec } = deployment;
    spec.replicas ??= 1;
    const strategy = (spec.strategy ??= {});
    strategy.type ??= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      const rolling = (strategy.rollingUpdate ??= {});
      rolling.maxUnavailable ??= '25%';
      rolling.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    defaultTemplate(spec.template);
  },
  prepareForCreate(deployment) {
    deployment.status = {};
  },
  validate(deployment, { errors }) {
    const { spec } = deployment;
    validateNonNegative(spec.replicas, 'spec.replicas', errors);
    validateSelectorAndTemplate(deployment, errors);
    validateStrategy(spec, errors);
    validateNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
    validateNonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', errors);
    validateNonNegative(spec.progressDeadlineSeconds, 'spec.progressDeadlineSeconds', errors);
    if (
      spec.progressDeadlineSeconds !== undefined &&
      spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)
    )
      errors.invalid(
        'spec.progressDeadlineSeconds',
        spec.progressDeadlineSeconds,
        'must be greater than minReadySeconds',
      );
  },
  validateUpdate(deployment, old, { errors, apiVersion }) {
    if (!MUTABLE_SELECTOR.has(apiVersion)) validateImmutableSelector(deployment, old, errors);
  },
  scale: {
    replicas: (deployment) => deployment.spec.replicas ?? 0,
    setReplicas(deployment, replicas) {
      deployment.spec.replicas = replicas;
    },
    statusReplicas: (deployment) => deployment.status?.replicas ?? 0,
    selector: (deployment) => formatSelector(deployment.spec.selector),
  },
});

/** pkg/apis/extensions/v1beta1/defaults.go: one pod at a time, all history, no deadline. */
function defaultExtensions(deployment: Deployment): void {
  selectorFromTemplate(deployment);
  const { spec } = deployment;
  const strategy = (spec.strategy ??= {});
  strategy.type ??= 'RollingUpdate';
  if (strategy.type === 'RollingUpdate') {
    const rolling = (strategy.rollingUpdate ??= {});
    rolling.maxUnavailable ??= 1;
    rolling.maxSurge ??= 1;
  }
  spec.revisionHistoryLimit ??= 2_147_483_647;
  spec.progressDeadlineSeconds ??= 2_147_483_647;
}

function validateStrategy({ strategy }: Deployment['spec'], errors: FieldErrors): void {
  const rolling = strategy?.rollingUpdate;
  if (strategy?.type !== 'RollingUpdate' && strategy?.type !== 'Recreate') {
    errors.notSupported('spec.strategy.type', strategy?.type ?? '', ['Recreate', 'RollingUpdate']);
    return;
  }
  if (strategy.type === 'Recreate') {
    if (rolling !== undefined)
      errors.forbidden(
        'spec.strategy.rollingUpdate',
        "may not be specified when strategy `type` is 'Recreate'",
      );
    return;
  }
  const at = 'spec.strategy.rollingUpdate';
  validateIntOrPercent(rolling?.maxUnavailable, `${at}.maxUnavailable`, errors);
  validateIntOrPercent(rolling?.maxSurge, `${at}.maxSurge`, errors);
  if (isZero(rolling?.maxUnavailable) && isZero(rolling?.maxSurge))
    errors.invalid(
      `${at}.maxUnavailable`,
      rolling?.maxUnavailable,
      'may not be 0 when `maxSurge` is 0',
    );
  const percent = /^(\d+)%$/.exec(String(rolling?.maxUnavailable))?.[1];
  if (percent !== undefined && Number(percent) > 100)
    errors.invalid(
      `${at}.maxUnavailable`,
      rolling?.maxUnavailable,
      'must not be greater than 100%',
    );
}

function isZero(value: number | string | undefined): boolean {
  return value === 0 || value === '0%';
}
