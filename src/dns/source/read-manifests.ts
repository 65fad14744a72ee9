import { parseAllDocuments, LineCounter } from 'yaml';
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { parseManifest } from '../../api/manifest.ts';
import type { Endpoints, Namespace, Pod, Service } from '../../api/types/core.ts';
import { SERVICE_NAME_LABEL, type EndpointSlice } from '../../api/types/discovery.ts';
import type { ServiceImport } from './dns-source.ts';
import type { MemoryDnsSource } from './memory-source.ts';

/** Something in a manifest that DNS cannot use; the rest is served. */
export interface ManifestProblem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Kinds that mean nothing to DNS are passed over. */
const DNS_KINDS: ReadonlySet<string> = new Set([
  'Service',
  'Endpoints',
  'EndpointSlice',
  'Namespace',
  'Pod',
]);

/**
 * Puts the objects of a manifest into a source, as a cluster would have them: namespaces that are used
 * exist, Endpoints become EndpointSlices. Nothing is allocated, so a Service without clusterIP has no
 * address.
 */
export function readManifest(
  source: MemoryDnsSource,
  text: string,
  file: string,
): ManifestProblem[] {
  const imports = serviceImportsOf(text);
  for (const { object } of imports) addServiceImport(source, object);
  const importLines = new Set(imports.map(({ line }) => line));
  const manifest = parseManifest(text, file);
  const problems: ManifestProblem[] = manifest.errors
    .filter(({ position }) => !importLines.has(position.line))
    .map(({ position, field, message }) => ({
      ...position,
      message: field === undefined ? message : `${field}: ${message}`,
    }));
  for (const { object, position } of manifest.objects) {
    const kind = String(object['kind']);
    if (!DNS_KINDS.has(kind)) continue;
    const problem = addObject(source, kind, object);
    if (problem !== undefined) problems.push({ ...position, message: problem });
  }
  return problems;
}

/** Returns what is wrong with it, if anything. */
function addObject(source: MemoryDnsSource, kind: string, object: JsonObject): string | undefined {
  const metadata = object['metadata'];
  if (!isJsonObject(metadata) || typeof metadata['name'] !== 'string')
    return 'metadata.name: Required value';
  if (kind === 'Namespace') {
    source.set('namespaces', object as unknown as Namespace);
    return undefined;
  }
  metadata['namespace'] ??= 'default';
  ensureNamespace(source, String(metadata['namespace']));
  switch (kind) {
    case 'Service': {
      const service = object as unknown as Service;
      if (!isJsonObject(object['spec'])) return 'spec: Required value';
      source.set('services', service);
      return addressProblem(service);
    }
    case 'EndpointSlice':
      source.set('endpointslices', object as unknown as EndpointSlice);
      return undefined;
    case 'Endpoints':
      for (const slice of slicesOfEndpoints(object as unknown as Endpoints))
        source.set('endpointslices', slice);
      return undefined;
    default:
      source.set('pods', object as unknown as Pod);
      return undefined;
  }
}

function addressProblem({ spec }: Service): string | undefined {
  const hasAddress = spec.clusterIP !== undefined || spec.clusterIPs !== undefined;
  if (hasAddress || spec.type === 'ExternalName') return undefined;
  return 'spec.clusterIP: there is no cluster that would allocate one; write an address, or None';
}

function addServiceImport(source: MemoryDnsSource, object: JsonObject): void {
  const imported = object as unknown as ServiceImport;
  imported.metadata.namespace ??= 'default';
  ensureNamespace(source, imported.metadata.namespace);
  source.set('serviceimports', imported);
}

/** The API server would have refused an object in a namespace that does not exist. */
function ensureNamespace(source: MemoryDnsSource, name: string): void {
  if (source.list('namespaces').some(({ metadata }) => metadata.name === name)) return;
  source.set('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

/** The mirroring controller's work: a slice for each subset and address family. */
function slicesOfEndpoints({ metadata, subsets = [] }: Endpoints): EndpointSlice[] {
  const { name = '', namespace = 'default' } = metadata;
  return subsets.flatMap((subset, index) =>
    (['IPv4', 'IPv6'] as const).flatMap((addressType): EndpointSlice[] => {
      const ofFamily = ({ ip }: { ip: string }): boolean =>
        ip.includes(':') === (addressType === 'IPv6');
      const endpoints = [
        ...(subset.addresses ?? []).map((address) => ({ address, ready: true })),
        ...(subset.notReadyAddresses ?? []).map((address) => ({ address, ready: false })),
      ].filter(({ address }) => ofFamily(address));
      if (endpoints.length === 0) return [];
      return [
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: `${name}-${index}-${addressType.toLowerCase()}`,
            namespace,
            labels: { ...metadata.labels, [SERVICE_NAME_LABEL]: name },
          },
          addressType,
          endpoints: endpoints.map(({ address, ready }) => ({
            addresses: [address.ip],
            conditions: { ready },
            ...(address.hostname === undefined ? {} : { hostname: address.hostname }),
            ...(address.targetRef === undefined ? {} : { targetRef: address.targetRef }),
          })),
          ports: subset.ports ?? [],
        },
      ];
    }),
  );
}

/** ServiceImport (KEP-1645) is not a kind of this cluster's API, but DNS serves it. */
function serviceImportsOf(text: string): { line: number; object: JsonObject }[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false });
  return (Array.isArray(documents) ? documents : []).flatMap((document) => {
    if (document.errors.length > 0) return [];
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (!isJsonObject(value) || value['kind'] !== 'ServiceImport') return [];
    if (!isJsonObject(value['spec']) || !isJsonObject(value['metadata'])) return [];
    const start = document.contents?.range?.[0] ?? document.range[0];
    return [{ line: lineCounter.linePos(start).line, object: value }];
  });
}
