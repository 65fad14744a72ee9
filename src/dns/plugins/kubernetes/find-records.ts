import { parseIp } from '../../../base/ip.ts';
import type { BackendQuery, BackendRecord, Found } from '../../backend/backend.ts';
import { RecordType } from '../../message/codes.ts';
import {
  addressOfReverseName,
  foldName,
  isReverseName,
  joinName,
  labelsOf,
} from '../../message/name.ts';
import type { KubernetesView, ServiceTable } from './kubernetes-view.ts';
import { SCHEMA_TTL_SECONDS, SCHEMA_VERSION, type KubernetesOptions } from './options.ts';
import { nameServerAddresses } from './name-servers.ts';
import { parseClusterName, type ServiceName } from './parse-name.ts';
import {
  listEndpoints,
  listPorts,
  suggestForm,
  suggestNamespace,
  suggestService,
} from './suggest.ts';
import type { AddressView, PortView, ServiceView, SliceView } from './service-view.ts';

/** Everything a lookup reads; nothing here waits. */
export interface Lookup {
  readonly view: KubernetesView;
  readonly options: KubernetesOptions;
  readonly localAddresses: readonly string[];
}

/** Entries for a name, by the rules of plugin/kubernetes (Services and Records). */
export function findRecords(lookup: Lookup, query: BackendQuery): Found {
  const zone = foldName(query.zone);
  if (query.type === RecordType.TXT && query.folded === joinName('dns-version', zone))
    return [recordOf({ name: query.name, text: SCHEMA_VERSION, ttlSeconds: SCHEMA_TTL_SECONDS })];
  if (query.folded === joinName('ns.dns', zone))
    return nameServerAddresses(lookup, query.zone).map(({ address }) =>
      recordOf({ name: query.name, host: address, ttlSeconds: lookup.options.ttlSeconds }),
    );
  const found = findObjects(lookup, query);
  // A service in another place has no ports that could be told apart.
  return query.type === RecordType.SRV
    ? found?.filter((entry) => parseIp(entry.host) !== undefined)
    : found;
}

/** Entries that have the address a reverse name stands for: a cluster IP's service, else endpoints. */
export function findReverse(lookup: Lookup, query: BackendQuery): Found {
  const ip = addressOfReverseName(query.folded);
  if (ip === undefined) return findObjects(lookup, query) === undefined ? undefined : [];
  const { view, options } = lookup;
  const { reuse, trace } = query.request;
  reuse.dependsOn(view.stamps, `s/ip/${ip}`);
  const exposed = (namespace: string): boolean => {
    reuse.dependsOn(view.stamps, `n/${namespace}`);
    const filtered = options.namespaces !== undefined || options.namespaceLabels !== undefined;
    return !filtered || view.namespaceExposed(namespace);
  };
  for (const service of view.services.servicesWithIp(ip)) {
    if (!exposed(service.namespace)) continue;
    trace?.add({
      plugin: 'kubernetes',
      what: `${ip} is a cluster IP`,
      object: `Service ${service.namespace}/${service.name}`,
    });
    return [reverseRecord(options, `${service.name}.${service.namespace}.svc`)];
  }
  const records = view.services
    .slicesWithIp(ip)
    .filter((slice) => exposed(slice.namespace))
    .flatMap((slice) =>
      slice.addresses
        .filter((address) => address.ip === ip)
        .map(({ label }) =>
          reverseRecord(options, `${label}.${slice.service}.${slice.namespace}.svc`),
        ),
    );
  trace?.add({
    plugin: 'kubernetes',
    what:
      records.length === 0
        ? `no Service has the cluster IP ${ip} and no ready endpoint has that address`
        : `${ip} belongs to ${records.length} endpoint(s)`,
  });
  return records.length === 0 ? undefined : records;
}

function reverseRecord(options: KubernetesOptions, labels: string): BackendRecord {
  const host = joinName(labels, options.primaryZone);
  return recordOf({ name: host, host, ttlSeconds: options.ttlSeconds });
}

function findObjects(lookup: Lookup, query: BackendQuery): Found {
  const { options, view } = lookup;
  const { reuse, trace } = query.request;
  const zone = foldName(query.zone);
  const multicluster = options.multiclusterZones.includes(zone);
  const parsed = parseClusterName(query.folded, zone, { multicluster, zonal: options.zonal });
  const explain = (what: string, object?: string): void =>
    trace?.add({ plugin: 'kubernetes', what, ...(object === undefined ? {} : { object }) });
  if (parsed.kind === 'node') {
    explain(`${query.name} is a node of the tree, it exists but holds no records`);
    return [];
  }
  if (parsed.kind === 'invalid' || isReverseName(query.folded)) {
    if (trace !== undefined)
      explain(
        `the name does not have the form of a Service or pod name${suggestForm(view.services, labelsOf(query.folded).slice(0, -labelsOf(zone).length), query.zone)}`,
      );
    return undefined;
  }
  reuse.dependsOn(view.stamps, `n/${parsed.namespace}`);
  if (!view.namespaceExposed(parsed.namespace)) {
    if (trace !== undefined)
      explain(
        view.namespaceExists(parsed.namespace)
          ? `namespace ${parsed.namespace} is not exposed by this server block`
          : `namespace ${parsed.namespace} does not exist${suggestNamespace(view, parsed.namespace)}`,
      );
    return undefined;
  }
  switch (parsed.kind) {
    case 'namespace':
      explain('a namespace exists but holds no records', `Namespace ${parsed.namespace}`);
      return [];
    case 'pod':
      return findPod(lookup, query, parsed);
    case 'service':
      return findService(lookup, query, parsed, multicluster ? view.imports : view.services);
  }
}

/** `a-b-c-d.NS.pod`: four groups are IPv4, anything else IPv6. */
function findPod(
  lookup: Lookup,
  query: BackendQuery,
  parsed: { readonly namespace: string; readonly pod: string },
): Found {
  const { options, view } = lookup;
  const { reuse, trace } = query.request;
  if (options.pods === 'disabled') {
    trace?.add({ plugin: 'kubernetes', what: 'pod names are disabled (pods disabled)' });
    return undefined;
  }
  const groups = parsed.pod.split('-').length;
  const isIpv4 = groups === 4 && !parsed.pod.includes('--');
  const host = parsed.pod.replaceAll('-', isIpv4 ? '.' : ':');
  const found = [recordOf({ name: query.name, host, ttlSeconds: options.ttlSeconds })];
  if (options.pods === 'insecure') {
    const valid = parseIp(host) !== undefined;
    const what = valid ? 'answered without looking (pods insecure)' : `${host} is not an address`;
    trace?.add({ plugin: 'kubernetes', what });
    return valid ? found : undefined;
  }
  reuse.dependsOn(view.stamps, `p/${host}`);
  const pod = view.podsByIp(host).find(({ namespace }) => namespace === parsed.namespace);
  trace?.add({
    plugin: 'kubernetes',
    what: pod === undefined ? `no live pod in ${parsed.namespace} has ${host}` : 'pod found',
    ...(pod === undefined ? {} : { object: `Pod ${pod.namespace}/${pod.name}` }),
  });
  return pod === undefined ? undefined : found;
}

function findService(
  lookup: Lookup,
  query: BackendQuery,
  parsed: ServiceName,
  table: ServiceTable,
): Found {
  const { namespace, service: name } = parsed;
  query.request.reuse.dependsOn(lookup.view.stamps, table.stampKey(namespace, name));
  const explain = (what: string, object?: string): void =>
    query.request.trace?.add({
      plugin: 'kubernetes',
      what,
      ...(object === undefined ? {} : { object }),
    });
  const service = table.get(namespace, name);
  if (service === undefined) {
    if (query.request.trace !== undefined)
      explain(
        `namespace ${namespace} has no Service ${name}${suggestService(table, namespace, name)}`,
      );
    return undefined;
  }
  const slices = table.slicesOf(namespace, name);
  const found = serviceRecords({ lookup, query, parsed, service, slices });
  if (query.request.trace !== undefined) explain(found.why(), `Service ${namespace}/${name}`);
  return found.records;
}

interface ServiceLookup {
  readonly lookup: Lookup;
  readonly query: BackendQuery;
  readonly parsed: ServiceName;
  readonly service: ServiceView;
  readonly slices: readonly SliceView[];
}

interface Explained {
  readonly records: Found;
  /** Put into words only for those who want to know. */
  readonly why: () => string;
}

function serviceRecords(context: ServiceLookup): Explained {
  const { lookup, parsed, service, slices } = context;
  if (service.kind === 'externalName') return externalNameRecords(context);
  const readyAddresses = slices.reduce((sum, slice) => sum + slice.addresses.length, 0);
  if (lookup.options.ignoreEmptyService && service.kind === 'clusterIP' && readyAddresses === 0)
    return { records: undefined, why: () => 'no ready endpoint (ignore empty_service)' };
  if (parsed.zonal !== undefined) return zonalRecords(context);
  if (service.kind === 'headless' || parsed.endpoint !== undefined) {
    const records = slices.flatMap((slice) => endpointRecords(context, slice, slice.addresses));
    if (records.length > 0) return { records, why: () => `${readyAddresses} ready address(es)` };
    return { records: undefined, why: () => whyNoEndpoint(context, readyAddresses) };
  }
  const ports = matchingPorts(parsed, service.ports);
  if (ports.length === 0)
    return {
      records: undefined,
      why: () => `no port _${parsed.port}._${parsed.protocol}; ${listPorts(service.ports)}`,
    };
  const records = ports.flatMap(({ port }) =>
    service.clusterIPs.map((host) =>
      serviceRecord(context, host, port, `${service.name}.${service.namespace}.svc`),
    ),
  );
  return { records, why: () => `cluster IP ${service.clusterIPs.join(' and ')}` };
}

function whyNoEndpoint(context: ServiceLookup, readyAddresses: number): string {
  const { lookup, parsed, slices } = context;
  if (!lookup.options.endpoints) return 'endpoints are not watched (noendpoints)';
  const notReady = slices.reduce((sum, slice) => sum + slice.notReady, 0);
  if (readyAddresses === 0)
    return notReady === 0
      ? 'the Service has no ready endpoint: there are none at all, so its selector may match no pod'
      : `the Service has no ready endpoint: ${notReady} not ready`;
  if (parsed.endpoint !== undefined)
    return `no ready endpoint is called ${parsed.endpoint}; ${listEndpoints(slices)}`;
  const ports = slices.flatMap((slice) => slice.ports);
  return `no endpoint has a port _${parsed.port}._${parsed.protocol}; ${listPorts(ports)}`;
}

function externalNameRecords({ lookup, query, parsed, service }: ServiceLookup): Explained {
  if (parsed.endpoint !== undefined || parsed.port !== undefined)
    return { records: undefined, why: () => 'nothing exists below an ExternalName Service' };
  if (service.externalName === '' || parseIp(service.externalName) !== undefined)
    return { records: undefined, why: () => 'externalName is not a domain name' };
  const { ttlSeconds } = lookup.options;
  return {
    records: [recordOf({ name: query.name, host: service.externalName, ttlSeconds })],
    why: () => `alias of ${service.externalName}`,
  };
}

/** Endpoints of one topology zone; `prefer` takes all when that zone has none. */
function zonalRecords(context: ServiceLookup): Explained {
  const { parsed, service, slices } = context;
  if (parsed.zonal === undefined || service.kind !== 'headless')
    return { records: undefined, why: () => 'zonal names exist for headless Services only' };
  const { zone, mode } = parsed.zonal;
  const pick = (wanted: (address: AddressView) => boolean): BackendRecord[] =>
    slices.flatMap((slice) => endpointRecords(context, slice, slice.addresses.filter(wanted)));
  const local = pick((address) => address.zone.toLowerCase() === zone);
  if (local.length > 0 || mode === 'pin')
    return { records: local, why: () => `${local.length} ready address(es) in zone ${zone}` };
  return { records: pick(() => true), why: () => `none in zone ${zone}, so all endpoints` };
}

function endpointRecords(
  context: ServiceLookup,
  slice: SliceView,
  addresses: readonly AddressView[],
): BackendRecord[] {
  const { parsed, service } = context;
  if (parsed.cluster !== undefined && slice.cluster.toLowerCase() !== parsed.cluster) return [];
  const ports = matchingPorts(parsed, slice.ports);
  const suffix = `${slice.cluster === '' ? '' : `${slice.cluster}.`}${service.name}.${service.namespace}.svc`;
  return addresses
    .filter(({ label }) => parsed.endpoint === undefined || label.toLowerCase() === parsed.endpoint)
    .flatMap(({ ip, label }) =>
      ports.map(({ port }) => serviceRecord(context, ip, port, `${label}.${suffix}`)),
    );
}

function matchingPorts(parsed: ServiceName, ports: readonly PortView[]): readonly PortView[] {
  if (parsed.port === undefined) return ports;
  return ports.filter(
    ({ name, protocol }) =>
      (parsed.port === '' || name === parsed.port) &&
      (parsed.protocol === '' || protocol === parsed.protocol),
  );
}

function serviceRecord(
  { lookup, query }: ServiceLookup,
  host: string,
  port: number,
  labels: string,
): BackendRecord {
  const name = joinName(labels.toLowerCase(), query.zone);
  return recordOf({ name, host, port, ttlSeconds: lookup.options.ttlSeconds });
}

/** Kubernetes entries all have priority 0 and equal weight. */
function recordOf(
  parts: Pick<BackendRecord, 'name' | 'ttlSeconds'> & Partial<BackendRecord>,
): BackendRecord {
  return { host: '', port: 0, priority: 0, weight: 0, ...parts };
}
