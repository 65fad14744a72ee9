import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { formatSelector } from '../label-selector.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { StatefulSet } from '../types/apps.ts';
import {
  containerColumns,
  defaultTemplate,
  selectorFromTemplate,
  validateIntOrPercent,
  validateNonNegative,
  validateSelectorAndTemplate,
} from './workload.ts';

/** What an update may change; everything else is fixed at creation. */
const MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export const statefulSetKind: KindDefinition = defineKind<StatefulSet>({
  kind: 'StatefulSet',
  resource: 'statefulsets',
  singular: 'statefulset',
  shortNames: ['sts'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'statefulsets',
  versions: [
    { group: 'apps', version: 'v1' },
    {
      group: 'apps',
      version: 'v1beta2',
      legacy: true,
      deprecation:
        'apps/v1beta2 StatefulSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 StatefulSet',
    },
    {
      group: 'apps',
      version: 'v1beta1',
      legacy: true,
      deprecation:
        'apps/v1beta1 StatefulSet is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 StatefulSet',
      defaults(object) {
        const set = object as unknown as StatefulSet;
        selectorFromTemplate(set);
        (set.spec.updateStrategy ??= {}).type ??= 'OnDelete';
      },
    },
  ],
  message: 'apps.v1.StatefulSet',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  columns: [
    nameColumn,
    {
      name: 'Ready',
      description: 'Ready pods of those desired.',
      cell: (set) => `${set.status?.readyReplicas ?? 0}/${set.spec.replicas ?? 0}`,
    },
    ageColumn,
    ...containerColumns<StatefulSet>(),
  ],
  defaults({ spec }) {
    spec.podManagementPolicy ??= 'OrderedReady';
    const strategy = (spec.updateStrategy ??= {});
    strategy.type ??= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') (strategy.rollingUpdate ??= {}).partition ??= 0;
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
    retention['whenDeleted'] ??= 'Retain';
    retention['whenScaled'] ??= 'Retain';
    defaultTemplate(spec.template);
  },
  prepareForCreate(set) {
    set.status = { replicas: 0, availableReplicas: 0 };
  },
  validate(set, { errors }) {
    const { spec } = set;
    if (spec.podManagementPolicy !== 'OrderedReady' && spec.podManagementPolicy !== 'Parallel')
      errors.notSupported('spec.podManagementPolicy', spec.podManagementPolicy, [
        'OrderedReady',
        'Parallel',
      ]);
    const type = spec.updateStrategy?.type ?? '';
    const rolling = spec.updateStrategy?.rollingUpdate;
    if (type !== 'RollingUpdate' && type !== 'OnDelete')
      errors.notSupported('spec.updateStrategy', type, ['OnDelete', 'RollingUpdate']);
    if (type === 'OnDelete' && rolling !== undefined)
      errors.invalid(
        'spec.updateStrategy.rollingUpdate',
        rolling,
        "only allowed for updateStrategy 'RollingUpdate'",
      );
    validateNonNegative(rolling?.partition, 'spec.updateStrategy.rollingUpdate.partition', errors);
    validateIntOrPercent(
      rolling?.maxUnavailable,
      'spec.updateStrategy.rollingUpdate.maxUnavailable',
      errors,
    );
    validateNonNegative(spec.replicas, 'spec.replicas', errors);
    validateNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
    validateNonNegative(spec.ordinals?.start, 'spec.ordinals.start', errors);
    validateSelectorAndTemplate(set, errors);
  },
  validateUpdate(set, old, { errors }) {
    const fixed = ({ spec }: StatefulSet): object => {
      const copy: Partial<StatefulSet['spec']> = { ...spec };
      for (const field of MUTABLE) delete copy[field];
      return copy;
    };
    if (!equalJson(fixed(set), fixed(old)))
      errors.forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
  },
  scale: {
    replicas: (set) => set.spec.replicas ?? 0,
    setReplicas(set, replicas) {
      set.spec.replicas = replicas;
    },
    statusReplicas: (set) => set.status?.replicas ?? 0,
    selector: (set) => formatSelector(set.spec.selector),
  },
});
