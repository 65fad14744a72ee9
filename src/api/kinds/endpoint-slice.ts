import { parseIp } from '../../base/ip.ts';
import type { JsonObject } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsLabel, isDnsSubdomain } from '../names.ts';
import { abbreviate, ageColumn, nameColumn } from '../table.ts';
import type { EndpointSlice, SliceEndpoint } from '../types/discovery.ts';
import type { FieldErrors } from '../field-errors.ts';

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const MAX_ENDPOINTS = 1000;
const MAX_ADDRESSES = 100;
const MAX_PORTS = 100;
const MAX_SHOWN = 3;

export const endpointSliceKind: KindDefinition = defineKind<EndpointSlice>({
  kind: 'EndpointSlice',
  resource: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  storagePrefix: 'endpointslices',
  versions: [
    { group: 'discovery.k8s.io', version: 'v1' },
    {
      group: 'discovery.k8s.io',
      version: 'v1beta1',
      legacy: true,
      deprecation:
        'discovery.k8s.io/v1beta1 EndpointSlice is deprecated in v1.21+, unavailable in v1.25+; use discovery.k8s.io/v1 EndpointSlice',
      fromStorage: addTopology,
    },
  ],
  message: 'discovery.v1.EndpointSlice',
  nameCheck: isDnsSubdomain,
  hasGeneration: true,
  hasStatus: false,
  columns: [
    nameColumn,
    {
      name: 'AddressType',
      description: 'Kind of the addresses.',
      cell: (slice) => slice.addressType,
    },
    { name: 'Ports', description: 'Ports of every endpoint.', cell: formatPorts },
    { name: 'Endpoints', description: 'Addresses of the endpoints.', cell: formatEndpoints },
    ageColumn,
  ],
  defaults(slice) {
    for (const port of slice.ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  validate(slice, { errors }) {
    if (isEmpty(slice.addressType)) errors.required('addressType');
    else if (!ADDRESS_TYPES.includes(slice.addressType))
      errors.notSupported('addressType', slice.addressType, ADDRESS_TYPES);
    const endpoints = slice.endpoints ?? [];
    if (endpoints.length > MAX_ENDPOINTS)
      errors.invalid('endpoints', endpoints.length, `must have at most ${MAX_ENDPOINTS} items`);
    for (const [index, endpoint] of endpoints.entries())
      validateEndpoint(endpoint, slice.addressType, `endpoints[${index}]`, errors);
    validatePorts(slice, errors);
  },
  validateUpdate(slice, old, { errors }) {
    if (slice.addressType !== old.addressType)
      errors.invalid('addressType', slice.addressType, 'field is immutable');
  },
});

/** In v1beta1, which kubectl 1.20 reads, node and zone are labels. */
function addTopology(object: JsonObject): void {
  const { endpoints } = object as { endpoints?: (SliceEndpoint & { topology?: object })[] | null };
  for (const endpoint of endpoints ?? []) {
    const { nodeName, zone } = endpoint;
    const topology = {
      ...(nodeName === undefined ? {} : { 'kubernetes.io/hostname': nodeName }),
      ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }),
    };
    if (Object.keys(topology).length > 0) endpoint.topology = topology;
  }
}

function validateEndpoint(
  endpoint: SliceEndpoint,
  type: EndpointSlice['addressType'],
  field: string,
  errors: FieldErrors,
): void {
  const addresses: readonly string[] | undefined = endpoint.addresses ?? [];
  if (addresses.length === 0)
    errors.required(`${field}.addresses`, 'must contain at least 1 address');
  if (addresses.length > MAX_ADDRESSES)
    errors.invalid(
      `${field}.addresses`,
      addresses.length,
      `must have at most ${MAX_ADDRESSES} items`,
    );
  for (const [index, address] of addresses.entries()) {
    const at = `${field}.addresses[${index}]`;
    if (type === 'FQDN') errors.invalidAll(at, address, isDnsSubdomain(address));
    else if (parseIp(address)?.family !== type)
      errors.invalid(at, address, `must be a valid ${type} address`);
  }
  if ((endpoint.hostname ?? '') !== '')
    errors.invalidAll(`${field}.hostname`, endpoint.hostname, isDnsLabel(endpoint.hostname ?? ''));
}

function validatePorts(slice: EndpointSlice, errors: FieldErrors): void {
  const ports = slice.ports ?? [];
  if (ports.length > MAX_PORTS)
    errors.invalid('ports', ports.length, `must have at most ${MAX_PORTS} items`);
  const names = new Set<string>();
  for (const [index, { name = '', protocol = 'TCP' }] of ports.entries()) {
    if (name !== '') errors.invalidAll(`ports[${index}].name`, name, isDnsLabel(name));
    if (names.has(name)) errors.duplicate(`ports[${index}].name`, name);
    names.add(name);
    if (!['TCP', 'UDP', 'SCTP'].includes(protocol))
      errors.notSupported(`ports[${index}].protocol`, protocol, ['SCTP', 'TCP', 'UDP']);
  }
}

function formatPorts(slice: EndpointSlice): string {
  const ports = (slice.ports ?? []).map(({ name, port }) =>
    port === undefined ? (name === undefined || name === '' ? '*' : name) : String(port),
  );
  return ports.length === 0 ? '<unset>' : abbreviate(ports, MAX_SHOWN);
}

function formatEndpoints(slice: EndpointSlice): string {
  const addresses = (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
  return addresses.length === 0 ? '<unset>' : abbreviate(addresses, MAX_SHOWN);
}

function isEmpty(text: string | undefined): boolean {
  return text === undefined || text === '';
}
