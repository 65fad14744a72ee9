import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { Lease } from '../types/other.ts';
import { validateNonNegative } from './workload.ts';

export const leaseKind: KindDefinition = defineKind<Lease>({
  kind: 'Lease',
  resource: 'leases',
  singular: 'lease',
  namespaced: true,
  storagePrefix: 'leases',
  versions: [{ group: 'coordination.k8s.io', version: 'v1' }],
  message: 'coordination.v1.Lease',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  columns: [
    nameColumn,
    {
      name: 'Holder',
      description: 'Who holds it.',
      cell: (lease) => lease.spec?.holderIdentity ?? '',
    },
    ageColumn,
  ],
  validate({ spec }, { errors }) {
    const seconds = spec?.leaseDurationSeconds;
    if (seconds !== undefined && seconds <= 0)
      errors.invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0');
    validateNonNegative(spec?.leaseTransitions, 'spec.leaseTransitions', errors);
  },
});
