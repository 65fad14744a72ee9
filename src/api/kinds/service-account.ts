import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { ServiceAccount } from '../types/core.ts';

export const serviceAccountKind: KindDefinition = defineKind<ServiceAccount>({
  kind: 'ServiceAccount',
  resource: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  namespaced: true,
  storagePrefix: 'serviceaccounts',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.ServiceAccount',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  columns: [
    nameColumn,
    {
      name: 'Secrets',
      type: 'integer',
      description: 'How many secrets it may use.',
      cell: (account) => account.secrets?.length ?? 0,
    },
    ageColumn,
  ],
});
