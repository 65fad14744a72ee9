import { formatApiVersion, type KindDefinition, type KindVersion } from '../../api/kind.ts';
import { KINDS } from '../../api/kinds.ts';
import { CREATE_ONLY, type CreateOnlyResource } from './create-only-resources.ts';

const VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
] as const;
const READ_WRITE = ['get', 'patch', 'update'] as const;

/** A subresource as discovery shows it. */
interface Subresource {
  readonly name: string;
  readonly verbs: readonly string[];
  /** Absent: the kind's own. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
}

const SCALE: Subresource = {
  name: 'scale',
  verbs: READ_WRITE,
  kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
};

/** What a resource offers besides itself. Streams (exec, attach, portforward) are not offered yet. */
const SPECIAL: Readonly<Record<string, readonly Subresource[]>> = {
  pods: [
    { name: 'binding', verbs: ['create'], kind: { group: '', version: 'v1', kind: 'Binding' } },
    {
      name: 'eviction',
      verbs: ['create'],
      kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
    },
    { name: 'log', verbs: ['get'] },
    {
      name: 'proxy',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      kind: { group: '', version: 'v1', kind: 'PodProxyOptions' },
    },
  ],
  services: [
    {
      name: 'proxy',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      kind: { group: '', version: 'v1', kind: 'ServiceProxyOptions' },
    },
  ],
  nodes: [
    {
      name: 'proxy',
      verbs: ['create', 'delete', 'get', 'patch', 'update'],
      kind: { group: '', version: 'v1', kind: 'NodeProxyOptions' },
    },
  ],
  namespaces: [{ name: 'finalize', verbs: ['update'] }],
};

interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly string[];
}

/** The groups, those with only legacy versions last so that short names go to the others. */
function groups(): GroupVersions[] {
  const found = new Map<string, { versions: string[]; legacy: boolean }>();
  const versions: readonly Pick<KindVersion, 'group' | 'version' | 'legacy'>[] = [
    ...KINDS.flatMap((kind) => kind.versions),
    ...CREATE_ONLY,
  ];
  for (const version of versions) {
    const entry = found.get(version.group) ?? { versions: [], legacy: true };
    found.set(version.group, entry);
    if (!entry.versions.includes(version.version)) entry.versions.push(version.version);
    if (version.legacy !== true) entry.legacy = false;
  }
  return [...found]
    .toSorted(([, a], [, b]) => Number(a.legacy) - Number(b.legacy))
    .map(([group, entry]) => ({ group, versions: entry.versions }));
}

/** `/api`, `/api/v1`, `/apis`, `/apis/apps`, `/apis/apps/v1` …: what `kubectl get --raw /` lists. */
export function discoveryPaths(): string[] {
  return [
    '/api',
    '/apis',
    ...groups().flatMap(({ group, versions }) =>
      group === ''
        ? versions.map((version) => `/api/${version}`)
        : [`/apis/${group}`, ...versions.map((version) => `/apis/${group}/${version}`)],
    ),
  ];
}

/** `/api`. */
export function coreVersions(address: string): unknown {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

/** `/apis`. */
export function groupList(): unknown {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups()
      .filter(({ group }) => group !== '')
      .map(groupEntry),
  };
}

/** `/apis/apps`; undefined when there is no such group. */
export function groupDocument(name: string): unknown {
  const group = groups().find((entry) => entry.group === name && name !== '');
  return group === undefined
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) };
}

function groupEntry({ group, versions }: GroupVersions) {
  const list = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}

/** `/api/v1`, `/apis/apps/v1`; undefined when it is not served. */
export function resourceList(apiVersion: string): unknown {
  const createOnly = createOnlyIn(apiVersion);
  const served = servedIn(apiVersion);
  if (served.length === 0 && createOnly.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersion,
    resources: [
      ...createOnly.map(({ resource, singular, namespaced, kind }) => ({
        name: resource,
        singularName: singular,
        namespaced,
        kind,
        verbs: ['create'],
      })),
      ...served.flatMap(([kind, version]) => plainResources(kind, version)),
    ],
  };
}

function servedIn(apiVersion: string): (readonly [KindDefinition, KindVersion])[] {
  return KINDS.flatMap((kind) =>
    kind.versions
      .filter((version) => formatApiVersion(version) === apiVersion)
      .map((version) => [kind, version] as const),
  );
}

function createOnlyIn(apiVersion: string): readonly CreateOnlyResource[] {
  return CREATE_ONLY.filter((resource) => formatApiVersion(resource) === apiVersion);
}

function plainResources(kind: KindDefinition, version: KindVersion): unknown[] {
  return [
    {
      name: kind.resource,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: VERBS,
      ...shortNames(kind, version),
      ...(kind.categories === undefined || version.legacy === true
        ? {}
        : { categories: kind.categories }),
      storageVersionHash: '',
    },
    ...subresourcesOf(kind).map((sub) => ({
      name: `${kind.resource}/${sub.name}`,
      singularName: '',
      namespaced: kind.namespaced,
      ...(sub.kind === undefined
        ? { kind: kind.kind }
        : { group: sub.kind.group, version: sub.kind.version, kind: sub.kind.kind }),
      verbs: sub.verbs,
    })),
  ];
}

function shortNames(
  kind: KindDefinition,
  version: KindVersion,
): { shortNames?: readonly string[] } {
  return kind.shortNames === undefined || version.legacy === true
    ? {}
    : { shortNames: kind.shortNames };
}

function subresourcesOf(kind: KindDefinition): readonly Subresource[] {
  return [
    ...(SPECIAL[kind.resource] ?? []),
    ...(kind.scale === undefined ? [] : [SCALE]),
    ...(kind.hasStatus ? [{ name: 'status', verbs: READ_WRITE }] : []),
  ];
}

/** APIGroupDiscoveryList of `/api` or `/apis` (KEP-3352). */
export function aggregatedDiscovery(prefix: 'api' | 'apis', version: 'v2' | 'v2beta1'): unknown {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups()
      .filter(({ group }) => (group === '') === (prefix === 'api'))
      .map(({ group, versions }) => ({
        metadata: group === '' ? {} : { name: group },
        versions: versions.map((name) => ({
          version: name,
          freshness: 'Current',
          resources: [
            ...createOnlyIn(formatApiVersion({ group, version: name })).map(aggregatedCreateOnly),
            ...servedIn(formatApiVersion({ group, version: name })).map(([kind, kindVersion]) =>
              aggregatedResource(kind, kindVersion),
            ),
          ],
        })),
      })),
  };
}

function aggregatedCreateOnly(one: CreateOnlyResource): unknown {
  const { group, version, kind } = one;
  return {
    resource: one.resource,
    responseKind: { group, version, kind },
    scope: one.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: one.singular,
    verbs: ['create'],
  };
}

function aggregatedResource(kind: KindDefinition, version: KindVersion): unknown {
  const own = { group: version.group, version: version.version, kind: kind.kind };
  return {
    resource: kind.resource,
    responseKind: own,
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: VERBS,
    ...shortNames(kind, version),
    ...(kind.categories === undefined || version.legacy === true
      ? {}
      : { categories: kind.categories }),
    subresources: subresourcesOf(kind).map((sub) => ({
      subresource: sub.name,
      responseKind: sub.kind ?? own,
      verbs: sub.verbs,
    })),
  };
}
