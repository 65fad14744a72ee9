import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn, orNone } from '../table.ts';
import type { ControllerRevision } from '../types/apps.ts';
import { validateNonNegative } from './workload.ts';

export const controllerRevisionKind: KindDefinition = defineKind<ControllerRevision>({
  kind: 'ControllerRevision',
  resource: 'controllerrevisions',
  singular: 'controllerrevision',
  namespaced: true,
  storagePrefix: 'controllerrevisions',
  versions: [{ group: 'apps', version: 'v1' }],
  message: 'apps.v1.ControllerRevision',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  columns: [
    nameColumn,
    {
      name: 'Controller',
      description: 'The object it is a revision of.',
      cell(revision) {
        const owner = revision.metadata.ownerReferences?.find(({ controller }) => controller);
        if (owner === undefined) return orNone(undefined);
        const group = owner.apiVersion.split('/')[0] ?? '';
        return `${owner.kind.toLowerCase()}.${group}/${owner.name}`;
      },
    },
    {
      name: 'Revision',
      type: 'integer',
      description: 'Its number.',
      cell: (revision) => revision.revision,
    },
    ageColumn,
  ],
  defaults(revision) {
    revision.revision ??= 0;
  },
  validate(revision, { errors }) {
    if (revision.data === undefined) errors.required('data', 'data is mandatory');
    validateNonNegative(revision.revision, 'revision', errors);
  },
  validateUpdate(revision, old, { errors }) {
    if (!equalJson(revision.data, old.data))
      errors.invalid('data', revision.data, 'field is immutable');
  },
});
