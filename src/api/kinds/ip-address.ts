import { formatIp, parseIp } from '../../base/ip.ts';
import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { nameColumn } from '../table.ts';
import type { IpAddressObject } from '../types/other.ts';

export const ipAddressKind: KindDefinition = defineKind<IpAddressObject>({
  kind: 'IPAddress',
  resource: 'ipaddresses',
  singular: 'ipaddress',
  shortNames: ['ip'],
  namespaced: false,
  storagePrefix: 'ipaddresses',
  versions: [{ group: 'networking.k8s.io', version: 'v1' }],
  message: 'networking.v1.IPAddress',
  nameCheck: isCanonicalAddress,
  hasGeneration: true,
  hasStatus: false,
  selectableFields: {
    'spec.parentRef.namespace': '',
    'spec.parentRef.name': '',
    'spec.parentRef.resource': '',
  },
  columns: [
    nameColumn,
    {
      name: 'ParentRef',
      description: 'What uses the address.',
      cell({ spec }) {
        const { group = '', resource, namespace = '', name } = spec.parentRef;
        const prefix = group === '' ? resource : `${resource}.${group}`;
        return [prefix, namespace, name].filter((part) => part !== '').join('/');
      },
    },
  ],
  validate({ spec }, { errors }) {
    if (spec.parentRef === undefined) {
      errors.required('spec.parentRef');
      return;
    }
    if ((spec.parentRef.resource ?? '') === '') errors.required('spec.parentRef.resource');
    if ((spec.parentRef.name ?? '') === '') errors.required('spec.parentRef.name');
  },
  validateUpdate(next, old, { errors }) {
    if (!equalJson(next.spec.parentRef, old.spec.parentRef))
      errors.invalid('spec.parentRef', next.spec.parentRef, 'field is immutable');
  },
});

function isCanonicalAddress(text: string): string[] {
  const ip = parseIp(text);
  if (ip === undefined) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
  const canonical = formatIp(ip);
  return canonical === text ? [] : [`must be in canonical form ("${canonical}")`];
}
