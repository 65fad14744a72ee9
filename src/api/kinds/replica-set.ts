import { defineKind, type KindDefinition } from '../kind.ts';
import { formatSelector } from '../label-selector.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { ReplicaSet } from '../types/apps.ts';
import {
  containerColumns,
  defaultTemplate,
  replicaColumns,
  replicaScale,
  selectorColumn,
  selectorFromTemplate,
  validateImmutableSelector,
  validateNonNegative,
  validateSelectorAndTemplate,
} from './workload.ts';

export const replicaSetKind: KindDefinition = defineKind<ReplicaSet>({
  kind: 'ReplicaSet',
  resource: 'replicasets',
  singular: 'replicaset',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'replicasets',
  versions: [
    { group: 'apps', version: 'v1' },
    {
      group: 'apps',
      version: 'v1beta2',
      legacy: true,
      deprecation:
        'apps/v1beta2 ReplicaSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 ReplicaSet',
    },
    {
      group: 'extensions',
      version: 'v1beta1',
      legacy: true,
      deprecation:
        'extensions/v1beta1 ReplicaSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 ReplicaSet',
      defaults: (object) => selectorFromTemplate(object as unknown as ReplicaSet),
    },
  ],
  message: 'apps.v1.ReplicaSet',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  selectableFields: { 'status.replicas': '0' },
  columns: [
    nameColumn,
    ...replicaColumns<ReplicaSet>(),
    ageColumn,
    ...containerColumns<ReplicaSet>(),
    selectorColumn<ReplicaSet>(),
  ],
  defaults(set) {
    set.spec.replicas ??= 1;
    defaultTemplate(set.spec.template);
  },
  prepareForCreate(set) {
    set.status = { replicas: 0 };
  },
  validate(set, { errors }) {
    validateNonNegative(set.spec.replicas, 'spec.replicas', errors);
    validateNonNegative(set.spec.minReadySeconds, 'spec.minReadySeconds', errors);
    validateSelectorAndTemplate(set, errors);
  },
  validateUpdate(set, old, { errors, apiVersion }) {
    if (apiVersion !== 'extensions/v1beta1') validateImmutableSelector(set, old, errors);
  },
  scale: replicaScale<ReplicaSet>((set) => formatSelector(set.spec.selector)),
});
