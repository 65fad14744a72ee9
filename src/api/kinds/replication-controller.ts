import { defineKind, type KindDefinition } from '../kind.ts';
import { matchesEquality } from '../label-selector.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn, orNone } from '../table.ts';
import type { ReplicationController } from '../types/core.ts';
import {
  containerColumns,
  defaultTemplate,
  replicaColumns,
  replicaScale,
  validateNonNegative,
  validateTemplate,
} from './workload.ts';

export const replicationControllerKind: KindDefinition = defineKind<ReplicationController>({
  kind: 'ReplicationController',
  resource: 'replicationcontrollers',
  singular: 'replicationcontroller',
  shortNames: ['rc'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'controllers',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.ReplicationController',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  selectableFields: { 'status.replicas': '0' },
  columns: [
    nameColumn,
    ...replicaColumns<ReplicationController>(),
    ageColumn,
    ...containerColumns<ReplicationController>(),
    {
      name: 'Selector',
      priority: 1,
      description: 'The labels that find the pods.',
      cell: (controller) => orNone(equalityText(controller.spec.selector)),
    },
  ],
  defaults(controller) {
    const { spec } = controller;
    const labels = spec.template?.metadata?.labels ?? {};
    spec.replicas ??= 1;
    if (Object.keys(labels).length > 0) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
      if (Object.keys(controller.metadata.labels ?? {}).length === 0)
        controller.metadata.labels = { ...labels };
    }
    defaultTemplate(spec.template);
  },
  prepareForCreate(controller) {
    controller.status = { replicas: 0 };
  },
  validate({ spec }, { errors }) {
    validateNonNegative(spec.replicas, 'spec.replicas', errors);
    validateNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
    if (Object.keys(spec.selector ?? {}).length === 0) errors.required('spec.selector');
    validateTemplate(spec.template, errors);
    const labels = spec.template?.metadata?.labels ?? {};
    if (spec.template !== undefined && !matchesEquality(spec.selector, labels))
      errors.invalid(
        'spec.template.metadata.labels',
        labels,
        '`selector` does not match template `labels`',
      );
  },
  scale: replicaScale<ReplicationController>((controller) =>
    equalityText(controller.spec.selector),
  ),
});

function equalityText(selector: Readonly<Record<string, string>> = {}): string {
  return Object.entries(selector)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
