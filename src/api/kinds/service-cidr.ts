import { parseCidr } from '../../base/ip.ts';
import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { ageColumn, nameColumn } from '../table.ts';
import type { ServiceCidr } from '../types/other.ts';

export const serviceCidrKind: KindDefinition = defineKind<ServiceCidr>({
  kind: 'ServiceCIDR',
  resource: 'servicecidrs',
  singular: 'servicecidr',
  namespaced: false,
  storagePrefix: 'servicecidrs',
  versions: [{ group: 'networking.k8s.io', version: 'v1' }],
  message: 'networking.v1.ServiceCIDR',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: true,
  columns: [
    nameColumn,
    {
      name: 'CIDRs',
      description: 'The blocks Service addresses come from.',
      cell: ({ spec }) => (spec.cidrs ?? []).join(','),
    },
    ageColumn,
  ],
  validate({ spec }, { errors }) {
    const cidrs = spec.cidrs ?? [];
    if (cidrs.length === 0) errors.required('spec.cidrs', 'at least one CIDR required');
    if (cidrs.length > 2) errors.invalid('spec.cidrs', cidrs, 'may only hold up to 2 values');
    for (const [index, cidr] of cidrs.entries())
      if (parseCidr(cidr) === undefined)
        errors.invalid(
          `spec.cidrs[${index}]`,
          cidr,
          'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        );
  },
  validateUpdate(next, old, { errors }) {
    if (!equalJson(next.spec.cidrs, old.spec.cidrs))
      errors.invalid('spec.cidrs', next.spec.cidrs, 'field is immutable');
  },
});
