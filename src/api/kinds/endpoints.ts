import { formatHostPort, parseIp } from '../../base/ip.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsLabel, isDnsSubdomain, isPortNumber } from '../names.ts';
import { abbreviate, ageColumn, nameColumn, orNone } from '../table.ts';
import type { EndpointAddress, Endpoints } from '../types/core.ts';
import type { FieldErrors } from '../field-errors.ts';

const MAX_SHOWN = 3;

export const endpointsKind: KindDefinition = defineKind<Endpoints>({
  kind: 'Endpoints',
  resource: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  storagePrefix: 'services/endpoints',
  versions: [
    {
      group: '',
      version: 'v1',
      deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    },
  ],
  message: 'core.v1.Endpoints',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  columns: [
    nameColumn,
    { name: 'Endpoints', description: 'Addresses that are ready.', cell: formatEndpoints },
    ageColumn,
  ],
  defaults(endpoints) {
    for (const subset of endpoints.subsets ?? [])
      for (const port of subset.ports ?? []) port.protocol ??= 'TCP';
  },
  validate(endpoints, { errors }) {
    for (const [index, subset] of (endpoints.subsets ?? []).entries()) {
      const at = `subsets[${index}]`;
      const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
      if (addresses.length === 0 && notReadyAddresses.length === 0)
        errors.required(at, 'must specify `addresses` or `notReadyAddresses`');
      for (const [position, address] of addresses.entries())
        validateAddress(address, `${at}.addresses[${position}]`, errors);
      for (const [position, address] of notReadyAddresses.entries())
        validateAddress(address, `${at}.notReadyAddresses[${position}]`, errors);
      for (const [position, port] of ports.entries()) {
        const field = `${at}.ports[${position}]`;
        if (ports.length > 1 && (port.name ?? '') === '') errors.required(`${field}.name`);
        if ((port.name ?? '') !== '')
          errors.invalidAll(`${field}.name`, port.name, isDnsLabel(port.name ?? ''));
        errors.invalidAll(`${field}.port`, port.port ?? 0, isPortNumber(port.port ?? 0));
        if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? ''))
          errors.notSupported(`${field}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
      }
    }
  },
});

/** Loopback addresses are allowed: in podwire's plan every address is one. */
function validateAddress(address: EndpointAddress, field: string, errors: FieldErrors): void {
  if (parseIp(address.ip ?? '') === undefined)
    errors.invalid(
      `${field}.ip`,
      address.ip ?? '',
      'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    );
  if ((address.hostname ?? '') !== '')
    errors.invalidAll(`${field}.hostname`, address.hostname, isDnsLabel(address.hostname ?? ''));
}

function formatEndpoints(endpoints: Endpoints): string {
  const all = (endpoints.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => formatHostPort(ip, port))),
  );
  return orNone(abbreviate(all, MAX_SHOWN));
}
