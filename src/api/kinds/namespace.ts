import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsLabel } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { Namespace } from '../types/core.ts';

/** What the namespace controller must do before the object may go. */
export const NAMESPACE_FINALIZER = 'kubernetes';

/** NamespaceLifecycle's immortal namespaces. */
const IMMORTAL = ['default', 'kube-public', 'kube-system'];

export const namespaceKind: KindDefinition = defineKind<Namespace>({
  kind: 'Namespace',
  resource: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  storagePrefix: 'namespaces',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.Namespace',
  nameCheck: isDnsLabel,
  hasGeneration: false,
  hasStatus: true,
  selectableFields: { 'status.phase': '' },
  columns: [
    nameColumn,
    {
      name: 'Status',
      description: 'The status of the namespace',
      cell: (namespace) => namespace.status?.phase ?? '',
    },
    ageColumn,
  ],
  defaults(namespace) {
    const labels = (namespace.metadata.labels ??= {});
    labels['kubernetes.io/metadata.name'] = namespace.metadata.name ?? '';
  },
  prepareForCreate(namespace) {
    namespace.spec = { finalizers: [NAMESPACE_FINALIZER] };
    namespace.status = { phase: 'Active' };
  },
  prepareForUpdate(namespace, old) {
    if (old.spec !== undefined) namespace.spec = old.spec;
  },
  undeletable: ({ metadata }) =>
    IMMORTAL.includes(metadata.name ?? '') ? 'this namespace may not be deleted' : undefined,
  markDeleted(namespace) {
    namespace.status = { ...namespace.status, phase: 'Terminating' };
  },
  blocksDeletion: (namespace) => (namespace.spec?.finalizers ?? []).length > 0,
});
